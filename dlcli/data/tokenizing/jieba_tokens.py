"""The tokens of jieba (accurate mode, HMM on, default dictionary), exactly, at more than ten times its speed.

rjieba (jieba-rs, MIT) finds the best route through the dictionary; what jieba makes of the characters that the route
leaves single is done here. Why the tokens are jieba's own, for jieba 0.42.1 and rjieba 0.2.2:

- Route: both hold the same 349,045 words and frequencies and make the same sums of `log` in the same order. jieba
  counts one word ("B超") twice in its total; `_rust` adds what is missing.
- Blocks: jieba-rs takes rare ideographs into its blocks, jieba takes U+4E00..U+9FD5 only. They are hidden from it.
- Unknown words: jieba-rs rounds the model's scores to six digits, which decides ties otherwise (the runs of one
  repeated character), so its HMM stays off and `viterbi` repeats finalseg's sums.
- Latin runs: jieba-rs keeps "t.cn", "2018.4.21", "J_zen" whole; with the HMM off it gives their parts, and finalseg's
  pattern is applied to them.
- A run of single characters that is a word itself stays single in jieba. No such word has a latin character.

Where rjieba cannot be imported, jieba itself cuts. jieba's dictionary is not loaded otherwise.

Torch-free and numpy-free at import.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from dlcli.data.tokenizing import viterbi
from dlcli.data.tokenizing.jieba_package import load_jieba

if TYPE_CHECKING:
    import numpy as np

Cut = Callable[[str], list[str]]

_HIDDEN = re.compile("[\u3400-\u4dbf\u9fd6-\u9fff\ud800-\udfff\uf900-\ufaff\U00020000-\U0003ffff]")
"""What rjieba takes into its blocks and jieba does not, and what cannot be handed over: each is one token."""
_STAND_IN = "\0"

_LATIN = re.compile(r"[a-zA-Z0-9+#&._%-]")
"""The characters that jieba puts into one block with Chinese ones."""
_LATIN_WORD = re.compile(r"([a-zA-Z0-9]+(?:\.\d+)?%?)")
"""finalseg's `re_skip`: what is one token in a latin run; what lies between is one as well."""
_HAN = re.compile("([\u4e00-\u9fd5]+)")

_NUM_ASCII = 128

_CHUNK = 100_000
"""Characters cut in one go: enough to spread numpy's costs over, small enough for the processor's cache."""
_LONGEST_RUN = 16
"""Longer runs of single characters are cut one by one: a step over few runs costs 30 us, over one character 1 us."""
_LONGEST_SPELLED = 3
"""Of the 349,045 words, 8,096 are less likely than their characters one by one; none of them is longer."""


class _Rust(NamedTuple):
    """What is used of rjieba."""

    route: Cut  # the best route through the dictionary; latin letters and digits that follow each other are joined
    has_word: Callable[[str], bool]


@cache
def _rust() -> _Rust | None:
    try:
        import rjieba
    except ImportError:
        return None
    if not rjieba.has_word(_STAND_IN):
        # jieba's total is larger by 3, a word's share in every sum; NUL is in no block, so no route can hold it.
        rjieba.add_word(_STAND_IN, 3, None)
    return _Rust(lambda text: rjieba.cut(text, False), lru_cache(maxsize=2**16)(rjieba.has_word))


@cache
def reference() -> Cut:
    """Return jieba's own `lcut`, its dictionary loaded (0.7 s).

    The dictionary is read from jieba's package: the cache file that jieba keeps in the temporary folder is neither
    written nor believed, and its log stays silent.
    """
    tokenizer = load_jieba().Tokenizer()
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    cut_whole: Cut = tokenizer.lcut
    return cut_whole


@cache
def jieba_version() -> str:
    """Return the version of the jieba whose tokens these are."""
    return str(load_jieba().__version__)


def cut(text: str) -> list[str]:
    """Return the tokens of `jieba.lcut(text)`; joined they are the text."""
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
    """Return what jieba makes of characters that the route left single, in one block and next to each other."""
    run = "".join(steps)
    if len(run) <= _LONGEST_SPELLED and rust.has_word(run):
        return steps
    tokens: list[str] = []
    for index, part in enumerate(_HAN.split(run)):
        tokens += viterbi.words_of(part) if index % 2 else _latin_words(part)
    return tokens


def _latin_words(run: str) -> list[str]:
    return [word for word in _LATIN_WORD.split(run) if word]


def cut_many(texts: Sequence[str]) -> list[list[str]]:
    """Return the tokens of `jieba.lcut` for each text; several times as fast as `cut` when the texts are many."""
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


def _cut_chunk(rust: _Rust, texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield the tokens of each text; what `cut` does step by step is done on arrays of all their steps."""
    import numpy as np

    text = _STAND_IN.join(texts)  # which is one token, in no block, so that every text is cut for itself
    steps = _route(rust, text)
    lengths = np.fromiter(map(len, steps), dtype=np.int64, count=len(steps))
    ends = lengths.cumsum()
    changes = _changes(rust, text, steps, ends - lengths, lengths)
    text_ends = np.fromiter((len(text) + 1 for text in texts), dtype=np.int64, count=len(texts)).cumsum() - 1
    stops = np.searchsorted(ends, text_ends, side="right")  # the step that separates a text from the next one
    last_changes = np.searchsorted(changes.firsts, stops).tolist()
    firsts, lasts, words = changes.firsts.tolist(), changes.ends.tolist(), changes.words
    start = change = 0
    for stop, last_change in zip(stops.tolist(), last_changes, strict=True):
        tokens = steps[start:stop]
        for index in range(last_change - 1, change - 1, -1):  # backwards, so that the places before stay
            tokens[firsts[index] - start : lasts[index] - start] = words[index]
        yield tokens
        start, change = stop + 1, last_change


class _Changes(NamedTuple):
    """Which steps of a route, [first, end), become which words; rising."""

    firsts: np.ndarray
    ends: np.ndarray
    words: list[Sequence[str]]


def _changes(rust: _Rust, text: str, steps: list[str], starts: np.ndarray, lengths: np.ndarray) -> _Changes:
    """Return what the single characters of a route become."""
    import numpy as np

    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)[starts].astype(np.int64)
    is_one = lengths == 1
    is_latin = _latin_codes()[np.minimum(codes, _NUM_ASCII)]
    for index in np.flatnonzero(is_latin & ~is_one).tolist():
        # Letters and digits that follow each other are single characters to jieba; the words ("C++", "AT&T") are not.
        is_latin[index] = steps[index].isascii() and steps[index].isalnum()
    firsts, ends = _runs(is_one & (codes >= viterbi.FIRST_HAN) & (codes <= viterbi.LAST_HAN))
    is_long = ends - firsts > _LONGEST_RUN
    begins, stops = viterbi.word_spans(codes, firsts[~is_long], (ends - firsts)[~is_long])
    run_of_span = np.searchsorted(firsts, begins, side="right") - 1
    is_joined = np.zeros(len(firsts), dtype=bool)
    is_joined[run_of_span] = True
    is_kept = ~_are_words(rust, text, is_joined, is_latin, firsts, ends, starts)[run_of_span]
    begins, stops = begins[is_kept], stops[is_kept]
    places = starts[begins]
    bounds = zip(places.tolist(), (places + stops - begins).tolist(), strict=True)
    words: list[Sequence[str]] = [(text[place:stop],) for place, stop in bounds]

    long_runs = zip(firsts[is_long].tolist(), ends[is_long].tolist(), strict=True)
    others = _latin_changes(steps, is_latin)
    others += [(first, end, viterbi.words_of("".join(steps[first:end]))) for first, end in long_runs]
    if not others:
        return _Changes(begins, stops, words)
    begins = np.concatenate([begins, [first for first, _, _ in others]])
    stops = np.concatenate([stops, [end for _, end, _ in others]])
    words += [changed for _, _, changed in others]
    order = begins.argsort()
    return _Changes(begins[order], stops[order], [words[index] for index in order.tolist()])


def _are_words(
    rust: _Rust,
    text: str,
    is_asked: np.ndarray,
    is_latin: np.ndarray,
    firsts: np.ndarray,
    ends: np.ndarray,
    starts: np.ndarray,
) -> np.ndarray:
    """Return which Chinese runs stay single because they are a word and nothing else that is single is beside them."""
    import numpy as np

    beside = np.concatenate([[False], is_latin, [False]])
    candidates = np.flatnonzero(is_asked & ~beside[firsts] & ~beside[ends + 1] & (ends - firsts <= _LONGEST_SPELLED))
    begins = starts[firsts[candidates]]
    stops = begins + ends[candidates] - firsts[candidates]
    spellings = [text[begin:stop] for begin, stop in zip(begins.tolist(), stops.tolist(), strict=True)]
    is_word = np.zeros(len(firsts), dtype=bool)
    is_word[candidates] = np.fromiter(map(rust.has_word, spellings), dtype=bool, count=len(spellings))
    return is_word


def _latin_changes(steps: list[str], is_latin: np.ndarray) -> list[tuple[int, int, Sequence[str]]]:
    changes: list[tuple[int, int, Sequence[str]]] = []
    for first, end in zip(*(bounds.tolist() for bounds in _runs(is_latin)), strict=True):
        parts = steps[first:end]
        words = _latin_words("".join(parts))
        if words != parts:
            changes.append((first, end, words))
    return changes


def _runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where runs of at least two true values begin and end."""
    import numpy as np

    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    firsts, ends = edges[::2], edges[1::2]
    is_long = ends - firsts > 1
    return firsts[is_long], ends[is_long]


@cache
def _latin_codes() -> np.ndarray:
    """Return for each ASCII code whether jieba puts it into one block with Chinese; the last entry is for the rest."""
    import numpy as np

    return np.array([_LATIN.match(chr(code)) is not None for code in range(_NUM_ASCII)] + [False])
