"""The exact tokens of jieba (accurate mode, HMM on, default dictionary), at more than ten times its speed.

rjieba (jieba-rs, MIT) finds the best route through the dictionary; this module then joins the characters that the route
leaves single, as jieba does. Why the tokens equal jieba's, for jieba 0.42.1 and rjieba 0.2.2:

- Route: both have the same 349,045 words and frequencies and add the same logarithms in the same order. jieba counts
  one word ("B超") twice in its total; `_rust` adds the difference.
- Blocks: jieba-rs includes rare ideographs in its blocks, jieba only U+4E00..U+9FD5. They are hidden from jieba-rs.
- Unknown words: jieba-rs rounds the model's scores to six digits, which breaks ties differently (runs of one repeated
  character), so its HMM is off and `viterbi` repeats finalseg's additions.
- Latin runs: jieba-rs leaves "t.cn", "2018.4.21", "J_zen" whole; with the HMM off it returns their parts, to which
  finalseg's pattern is applied.
- A run of single characters that forms a word remains single in jieba. No such word has a latin character.

If rjieba cannot be imported, jieba is used. Otherwise jieba's dictionary is never loaded.

Imports neither torch nor, at import time, numpy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import accumulate, compress, islice
from typing import TYPE_CHECKING, NamedTuple

from dlcli.data.text.tokenizing import viterbi
from dlcli.data.text.tokenizing.jieba_package import load_jieba

if TYPE_CHECKING:
    import numpy as np

Cut = Callable[[str], list[str]]

_HIDDEN = re.compile("[\u3400-\u4dbf\u9fd6-\u9fff\ud800-\udfff\uf900-\ufaff\U00020000-\U0003ffff]")
"""Characters that only rjieba includes in its blocks, and those that cannot be passed to it: each is one token."""
_STAND_IN = "\0"

_LATIN = re.compile(r"[a-zA-Z0-9+#&._%-]")
"""The characters that jieba puts into the same block as Chinese ones."""
_LATIN_WORD = re.compile(r"([a-zA-Z0-9]+(?:\.\d+)?%?)")
"""finalseg's `re_skip`: each match in a latin run is one token, and so is each part between matches."""
_HAN = re.compile("([\u4e00-\u9fd5]+)")

_NUM_ASCII = 128
_MARK, _ALNUM, _DIGIT, _DOT, _PERCENT = (1 << bit for bit in range(5))

_CHUNK = 100_000
"""Characters per chunk: enough to amortise numpy's overhead, few enough for the processor's cache."""
_LONGEST_RUN = 12
"""Longer runs of single characters are cut individually: a step over few runs takes 30 us, over one character 1 us."""
_SPELLED_BY_THREE = ("上不去", "说不说", "还都不", "那不就", "都还不")
"""Of the 349,045 words, 8,096 are less likely than their separate characters: these, and words of two characters."""


class _Rust(NamedTuple):
    """The two functions that are used from rjieba."""

    route: Cut  # the best route through the dictionary; adjacent latin letters and digits are joined
    has_word: Callable[[str], bool]


@cache
def _rust() -> _Rust | None:
    try:
        import rjieba
    except ImportError:
        return None
    if not rjieba.has_word(_STAND_IN):
        # jieba's total, part of every word's score, is larger by 3; NUL is in no block, so no route contains it.
        rjieba.add_word(_STAND_IN, 3, None)
    return _Rust(lambda text: rjieba.cut(text, False), lru_cache(maxsize=2**16)(rjieba.has_word))


@cache
def reference() -> Cut:
    """Return jieba's own `lcut`, with its dictionary loaded (0.7 s).

    The dictionary is read from the jieba package: the cache file that jieba uses in the temporary folder is neither
    written nor trusted, and nothing is logged.
    """
    tokenizer = load_jieba().Tokenizer()
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    cut_whole: Cut = tokenizer.lcut
    return cut_whole


@cache
def jieba_version() -> str:
    """Return the version of jieba that the tokens match."""
    return str(load_jieba().__version__)


def cut(text: str) -> list[str]:
    """Return the tokens of `jieba.lcut(text)`; joined, they equal the text."""
    rust = _rust()
    if rust is None:
        return reference()(text)
    characters = _block_characters()
    tokens: list[str] = []
    single: list[str] = []
    for step in _route(rust, text):
        if step in characters or (step.isascii() and step.isalnum()):
            single.append(step)
        else:
            if single:
                tokens += single if len(single) == 1 else _cut_single(rust, single)
                single = []
            tokens.append(step)
    return tokens + _cut_single(rust, single) if single else tokens


def _route(rust: _Rust, text: str) -> list[str]:
    if not _HIDDEN.search(text):
        return rust.route(text)
    steps = rust.route(_HIDDEN.sub(_STAND_IN, text))
    ends = accumulate(map(len, steps))
    return [text[end - len(step) : end] for step, end in zip(steps, ends, strict=True)]


@cache
def _block_characters() -> frozenset[str]:
    """Return the characters that jieba puts into blocks."""
    han = map(chr, range(viterbi.FIRST_HAN, viterbi.LAST_HAN + 1))
    return frozenset([*han, *filter(_LATIN.match, map(chr, range(_NUM_ASCII)))])


def _cut_single(rust: _Rust, steps: list[str]) -> list[str]:
    """Return jieba's tokens for adjacent characters of one block that the route left single."""
    run = "".join(steps)
    if run in _SPELLED_BY_THREE or (len(run) == 2 and rust.has_word(run)):
        return steps
    tokens: list[str] = []
    for index, part in enumerate(_HAN.split(run)):
        tokens += viterbi.words_of(part) if index % 2 else _latin_words(part)
    return tokens


def _latin_words(run: str) -> tuple[str, ...]:
    return tuple(word for word in _LATIN_WORD.split(run) if word)


def cut_many(texts: Sequence[str]) -> list[list[str]]:
    """Return the tokens of `jieba.lcut` for each text; for many texts several times as fast as `cut`."""
    rust = _rust()
    if rust is None:
        return [reference()(text) for text in texts]
    return [tokens for chunk in _chunks(texts) for tokens in _cut_chunk(rust, chunk)]


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    start = size = 0
    for index, text in enumerate(texts):
        size += len(text) + 1
        if size >= _CHUNK:
            yield texts[start : index + 1]
            start, size = index + 1, 0
    if start < len(texts):
        yield texts[start:]


def _cut_chunk(rust: _Rust, texts: Sequence[str]) -> list[list[str]]:
    """Return the tokens of each text, by the steps of `cut` vectorised over all texts."""
    import numpy as np

    text = _STAND_IN.join(texts)  # one token, in no block, so that each text is cut separately
    steps = _route(rust, text)
    lengths = np.fromiter(map(len, steps), dtype=np.int64, count=len(steps))
    ends = lengths.cumsum()
    firsts, stops, words = _changes(rust, text, steps, ends - lengths, ends)
    text_ends = (np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)) + 1).cumsum() - 1
    text_stops = np.searchsorted(ends, text_ends, side="right")  # the step that separates a text from the next one
    text_firsts = np.concatenate([[0], text_stops[:-1] + 1])
    starts = text_firsts[np.searchsorted(text_stops, firsts, side="right")]
    places = map(slice, (firsts - starts)[::-1].tolist(), (stops - starts)[::-1].tolist())
    changes = zip(places, reversed(words), strict=True)
    num_changes = np.diff(np.searchsorted(firsts, text_stops), prepend=0)
    cut_texts = []
    # Backwards, so that a change does not shift the indices of those still to come.
    for first, stop, count in zip(
        *(values[::-1].tolist() for values in (text_firsts, text_stops, num_changes)), strict=True
    ):
        tokens = steps[first:stop]
        for place, word in islice(changes, count):
            tokens[place] = word
        cut_texts.append(tokens)
    cut_texts.reverse()
    return cut_texts


def _changes(
    rust: _Rust, text: str, steps: list[str], starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[Sequence[str]]]:
    """Return which steps of a route are replaced by which words, because they were left single.

    Args:
        text: the text that was cut.
        steps: its route, N steps.
        starts, ends: (N,) offsets of each step in the text.

    Returns:
        (C,) first and (C,) stop index of each range of steps, increasing, and the words that replace it.
    """
    import numpy as np

    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    kinds = _latin_kinds()[np.minimum(codes, _NUM_ASCII)]
    # To jieba, adjacent letters and digits are single characters; words ("C++", "AT&T") are not.
    num_alnum = np.concatenate([[0], (kinds & _ALNUM > 0).cumsum()])
    is_one = ends - starts == 1
    is_latin = (kinds[starts] > 0) & (is_one | (num_alnum[ends] - num_alnum[starts] == ends - starts))
    first_codes = codes[starts].astype(np.int64)
    is_han = is_one & (first_codes >= viterbi.FIRST_HAN) & (first_codes <= viterbi.LAST_HAN)
    firsts, stops = _runs(is_han)
    is_left = _is_spelled_by_three(first_codes, firsts, stops) & _is_alone(is_han | is_latin, firsts, stops)
    firsts, stops = firsts[~is_left], stops[~is_left]
    is_long = stops - firsts > _LONGEST_RUN

    latin = _bounds(*_joinable(kinds, is_latin, ends))
    others = [(first, stop, _latin_words("".join(steps[first:stop]))) for first, stop in latin]
    for first, stop in _bounds(firsts[is_long], stops[is_long]):
        others.append((first, stop, viterbi.words_of("".join(steps[first:stop]))))

    firsts, stops = viterbi.word_spans(first_codes, firsts[~is_long], (stops - firsts)[~is_long])
    words = [text[start:end] for start, end in _bounds(starts[firsts], ends[stops - 1])]
    is_pair = (stops - firsts == 2) & _is_alone(is_han | is_latin, firsts, stops)
    is_joined = np.ones(len(firsts), dtype=bool)
    is_joined[is_pair] = [not rust.has_word(word) for word in compress(words, is_pair.tobytes())]
    changed: list[Sequence[str]] = [*zip(compress(words, is_joined.tobytes()))]
    changed += [words for _, _, words in others]
    firsts = np.array([*firsts[is_joined].tolist(), *(first for first, _, _ in others)], dtype=np.int64)
    stops = np.array([*stops[is_joined].tolist(), *(stop for _, stop, _ in others)], dtype=np.int64)
    order = firsts.argsort()
    return firsts[order], stops[order], [changed[index] for index in order.tolist()]


def _is_alone(is_single: np.ndarray, firsts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return which ranges of steps have no single step next to them."""
    import numpy as np

    beside = np.concatenate([[False], is_single, [False]])
    alone: np.ndarray = ~(beside[firsts] | beside[stops + 1])
    return alone


def _bounds(firsts: np.ndarray, ends: np.ndarray) -> Iterator[tuple[int, int]]:
    return zip(firsts.tolist(), ends.tolist(), strict=True)


def _is_spelled_by_three(codes: np.ndarray, firsts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return which runs of Chinese characters are in `_SPELLED_BY_THREE`."""
    import numpy as np

    is_spelled: np.ndarray = stops - firsts == 3
    runs = firsts[is_spelled]
    words = np.array([*map(ord, "".join(_SPELLED_BY_THREE))]).reshape(-1, 3).T
    # One number for three characters of 16 bits each.
    keys = [a << 32 | b << 16 | c for a, b, c in ((codes[runs], codes[runs + 1], codes[runs + 2]), words)]
    is_spelled[is_spelled] = np.isin(*keys)
    return is_spelled


def _joinable(kinds: np.ndarray, is_latin: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return start and end of the runs of latin steps that contain "1.5", "5%" or two adjacent marks."""
    import numpy as np

    alnum, digit, dot, percent = (kinds & kind > 0 for kind in (_ALNUM, _DIGIT, _DOT, _PERCENT))
    mark = (kinds > 0) & ~alnum
    is_joint = (mark[:-1] & mark[1:]) | (alnum[:-1] & percent[1:])
    is_joint[:-1] |= alnum[:-2] & dot[1:-1] & digit[2:]
    firsts, stops = _runs(is_latin)
    joints = np.searchsorted(ends, np.flatnonzero(is_joint), side="right")
    runs = np.unique(np.searchsorted(firsts, joints, side="right") - 1)
    runs = runs[runs >= 0]  # a word such as "C++" may come before all runs, or between two
    return firsts[runs], stops[runs]


def _runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return start and end of each run of at least two true values."""
    import numpy as np

    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    firsts, ends = edges[::2], edges[1::2]
    is_long = ends - firsts > 1
    return firsts[is_long], ends[is_long]


@cache
def _latin_kinds() -> np.ndarray:
    """Return the kinds of each ASCII code; 0 if jieba never puts it in a block with Chinese, and in the last entry."""
    import numpy as np

    kinds = np.zeros(_NUM_ASCII + 1, dtype=np.uint8)
    for character in filter(_LATIN.match, map(chr, range(_NUM_ASCII))):
        special = {".": _DOT, "%": _PERCENT}.get(character, _MARK)
        kinds[ord(character)] = _ALNUM | _DIGIT * character.isdigit() if character.isalnum() else special
    return kinds
