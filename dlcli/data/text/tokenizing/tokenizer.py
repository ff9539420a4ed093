"""The tokenizers by name, and the JSON specification that is stored in a run and its exports.

Imports neither torch nor numpy until a tokenizer is built.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from dlcli.core.errors import RunError, UsageError, did_you_mean
from dlcli.data.text.cleaners import CLEANERS, Cleaner, check_cleaning, cleaning_spec
from dlcli.data.text.cleaning import NORMAL_FORM
from dlcli.data.text.tokenizing.cutting import PLACE, cut_spaced, cut_words
from dlcli.data.text.tokenizing.kinds import CONTROL, KINDS, UNIT, without_units
from dlcli.data.text.tokenizing.letters import letters_and_digits
from dlcli.data.text.tokenizing.pieces import encode_model
from dlcli.data.text.tokenizing.stemming import STEMMERS, check_stem, stem_spec, stem_word

WORDS = "words"
PIECES = "bpe"
TOKENIZERS = ("jieba", "char", "whitespace", WORDS, "word-punct", "spaced-char", PIECES)

_OWN_VERSION = "1"
"""Version of all tokenizers but jieba, and of the kinds: increased when the same text gives other tokens."""

_WORDPIECE = "wordpiece"
"""BERT's tokenizer: of a network's vocabulary, so that no data is prepared with it."""

FLAGS = ("lower", "strip_accents", "chinese")
"""Further fields of BERT's: small letters, letters without accents, Chinese characters one by one."""

_FIELDS = frozenset({"name", "version", "stopwords", "strip"})
_OF_PIECES = frozenset({"model", "sha256"})
_LATER_FIELDS = frozenset({"unicode", "clean", "stem"}) | _OF_PIECES
"""Absent where they do nothing, so that older specifications are equal to new ones of the same tokens."""

_WORD = re.compile(rf"[^\s{CONTROL}]+")
_CHARACTER = re.compile(rf"[^\s{CONTROL}]")


class Tokenizer(Protocol):
    """Splits texts into tokens; fully determined by its specification.

    Attributes:
        spec: JSON values from which `build_tokenizer` makes an equal tokenizer.
    """

    spec: dict[str, Any]

    def tokens(self, text: str) -> list[str]:
        """Return the tokens of a text: never blank, without control characters and lone surrogates."""
        ...

    def tokens_of_all(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the tokens of each text; for jieba and many texts far faster than one by one."""
        ...


def make_spec(
    name: str,
    *,
    stopwords: Iterable[str] = (),
    strip: Iterable[str] = (),
    clean: Iterable[str] = (),
    stem: str | None = None,
    model: bytes | None = None,
) -> dict[str, Any]:
    """Return the specification of a tokenizer, JSON values; texts are brought into Unicode's normal form first.

    Args:
        name: one of `TOKENIZERS`.
        stopwords: tokens to drop, before stemming; they are cleaned as the texts are.
        strip: kinds of units to drop ("emoticon", ...).
        clean: kinds of cleaning (`dlcli.data.text.cleaners`).
        stem: the language whose endings are removed from words, one of `STEMMERS`.
        model: SentencePiece's, of "bpe"; see `pieces.train_pieces`.

    Raises:
        UsageError: the tokenizer, a kind or the language is unknown.
    """
    _check(name, (*TOKENIZERS, _WORDPIECE), "tokenizer")
    stripped = sorted(set(strip))
    for kind in stripped:
        _check(kind, KINDS, "kind of token")
    for kind in (clean := tuple(clean)):
        _check(kind, CLEANERS, "kind of cleaning")
    own: dict[str, Any] = {"unicode": NORMAL_FORM}
    if clean:
        own["clean"] = cleaning_spec(clean)
    if stem is not None:
        _check(stem, STEMMERS, "language to stem")
        if name == PIECES:
            raise UsageError(f"--stem: not with --tokenizer {PIECES}", hint="pieces are no words with endings")
        own["stem"] = stem_spec(stem)
    own |= encode_model(model) if model is not None else {}
    normal = _normaliser(name, own)
    words = sorted({normal(word) for word in stopwords})
    return {"name": name, "version": _version(name), "stopwords": words, "strip": stripped, **own}


def _check(name: str, known: Iterable[str], what: str) -> None:
    if name not in known:
        raise UsageError(f"unknown {what} {name!r}", hint=did_you_mean(name, known))


def _version(name: str) -> str:
    if name != "jieba":
        return _OWN_VERSION
    from dlcli.data.text.tokenizing.jieba_tokens import jieba_version

    return jieba_version()


def build_tokenizer(spec: Mapping[str, Any], vocabulary: Sequence[str] | None = None) -> Tokenizer:
    """Return the tokenizer that a specification describes.

    A specification of another version is refused, even if most texts would give the same tokens: a network that reads
    tokens other than those it was trained on gets worse, and nothing would show it.

    Args:
        spec: the specification.
        vocabulary: the network's tokens, which BERT's tokenizer cuts words into; the others need none.

    Raises:
        RunError: the specification is damaged, or names an unknown tokenizer or a version that is not installed.
    """
    is_wordpiece = isinstance(spec, Mapping) and spec.get("name") == _WORDPIECE
    fields = _FIELDS | frozenset(FLAGS) if is_wordpiece else _FIELDS
    if not isinstance(spec, Mapping) or set(spec) - _LATER_FIELDS != fields:
        raise _damaged(f"it must have {', '.join(sorted(fields))}")
    if spec.get("unicode", NORMAL_FORM) != NORMAL_FORM:
        raise _damaged(f"unicode must be {NORMAL_FORM}")
    name, version = spec["name"], spec["version"]
    if not isinstance(name, str) or name not in (*TOKENIZERS, _WORDPIECE):
        raise RunError(
            f"unknown tokenizer {name!r}", hint=f"known: {', '.join(TOKENIZERS)}; a newer version may have it"
        )
    _strings(spec, "stopwords")
    if unknown := _strings(spec, "strip") - set(KINDS):
        raise _damaged(f"unknown kind of token {min(unknown)!r}")
    if not isinstance(version, str):
        raise _damaged("version must be a string")
    if version != _version(name):
        package = "jieba" if name == "jieba" else "dlcli"
        fix = f"pip install jieba=={version}" if name == "jieba" else "use the version of dlcli that made it"
        raise RunError(
            f"the texts were tokenised by {name} {version[:40]}, but {package} {_version(name)} is installed",
            hint=f"{fix}, or prepare the data and train again",
        )
    if "clean" in spec:
        check_cleaning(spec["clean"])
    if "stem" in spec:
        check_stem(spec["stem"])
    if (name == PIECES) != (set(spec) >= _OF_PIECES):
        raise _damaged("a model of SentencePiece belongs to bpe, and to no other")
    if name == PIECES:
        from dlcli.data.text.tokenizing.piece_tokens import PieceTokens

        return PieceTokens(dict(spec), _normaliser(name, spec))
    if is_wordpiece:
        from dlcli.data.text.tokenizing.wordpiece import WordPiece

        if vocabulary is None or not all(isinstance(spec[flag], bool) for flag in FLAGS):
            raise _damaged("WordPiece needs a vocabulary, and true or false for each of its rules")
        return WordPiece(dict(spec), _normaliser(name, spec), vocabulary)
    return _Units(*_cutters(name), dict(spec))


def _damaged(why: str) -> RunError:
    return RunError(f"the specification of the tokenizer is damaged: {why}", hint="prepare the data or train again")


def _strings(spec: Mapping[str, Any], key: str) -> set[str]:
    values = spec[key]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise _damaged(f"{key} must be a list of strings")
    return set(values)


_Cut = Callable[[str], list[str]]
_CutMany = Callable[[Sequence[str]], list[list[str]]]


def _cutters(name: str) -> tuple[_Cut, _CutMany]:
    """Return the functions that tokenise one text and many; both make `PLACE` a separate token."""
    if name == "jieba":
        from dlcli.data.text.tokenizing import jieba_tokens

        return jieba_tokens.cut, jieba_tokens.cut_many
    if name == "word-punct":
        return cut_words, lambda texts: list(map(cut_words, texts))
    if name == "spaced-char":
        return cut_spaced, lambda texts: list(map(cut_spaced, texts))
    # "char" matches char-level references: every code point separately, including letters and digits
    # (THUCNews: Chinese-Text-Classification-Pytorch; the character n-grams of TF-IDF baselines).
    pattern = {"char": _CHARACTER.pattern, "whitespace": _WORD.pattern}.get(name) or letters_and_digits()
    cut = re.compile(f"{PLACE}|{pattern}").findall
    return cut, lambda texts: [cut(text) for text in texts]


def _normaliser(name: str, spec: Mapping[str, Any]) -> Callable[[str], str]:
    """Return what a text undergoes before it is tokenised."""
    cleaner = Cleaner(spec["clean"]["kinds"]) if "clean" in spec else None
    is_normal, is_lower = "unicode" in spec, name == WORDS  # version 0.1 of dlcli left texts as they were

    def normal(text: str) -> str:
        text = cleaner(text) if cleaner is not None else text
        text = text.lower() if is_lower else text
        return unicodedata.normalize(NORMAL_FORM, text) if is_normal and not text.isascii() else text

    return normal


class _Units:
    """Tokenizer that makes each unit one token and cuts the text between units."""

    def __init__(self, cut: _Cut, cut_many: _CutMany, spec: dict[str, Any]) -> None:
        self.spec = spec
        self._cut, self._cut_many = cut, cut_many
        self._stripped = frozenset(spec["strip"])
        self._left_out = _blank() | frozenset(spec["stopwords"])
        self._normal = _normaliser(spec["name"], spec)
        self._stem = stem_word if "stem" in spec else None

    def tokens(self, text: str) -> list[str]:
        pieces = self._pieces(text)
        return self._filled(self._cut(PLACE.join(pieces[::2])), pieces)

    def tokens_of_all(self, texts: Sequence[str]) -> list[list[str]]:
        split = [self._pieces(text) for text in texts]
        return list(map(self._filled, self._cut_many([PLACE.join(pieces[::2]) for pieces in split]), split))

    def _pieces(self, text: str) -> list[str]:
        """Return text, unit, text, ..., text, none of which contains `PLACE`; stripped units are blanks."""
        return UNIT.split(without_units(self._normal(text), self._stripped).replace(PLACE, " "))

    def _filled(self, cut: list[str], pieces: list[str]) -> list[str]:
        """Return the remaining tokens, words by their stems, with the units in place of their placeholders."""
        left_out, stem = self._left_out, self._stem
        if len(pieces) == 1:
            kept = [token for token in cut if token not in left_out]
            return kept if stem is None else [*map(stem, kept)]
        units = iter(pieces[1::2])
        tokens = []
        for token in cut:
            if token not in left_out:
                tokens.append(token if stem is None else stem(token))
            elif token == PLACE:
                unit = next(units)
                if unit not in left_out:
                    tokens.append(unit)
        return tokens


@cache
def _blank() -> frozenset[str]:
    """Return jieba's blank tokens: it cuts such characters one by one, except for "\\r\\n"."""
    return frozenset(["\r\n", *(character for character in map(chr, range(0x10000)) if not _WORD.match(character))])
