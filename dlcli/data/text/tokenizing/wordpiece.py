"""BERT's tokens: words and marks in the spelling of the model, cut into the longest pieces that its vocabulary has.

Source: Devlin et al. 2018, arXiv:1810.04805, `tokenization.py` of its release; equal to transformers' fast tokenizer
(the package `tokenizers`), which would add 12 MB and a client of a model hub for these lines. Torch-free.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from dlcli.data.text.tokenizing.kinds import without_units
from dlcli.data.text.vocabulary import SPECIALS, UNK_TOKEN

_CONTINUED = "##"
_LONGEST = 100
"""Characters of a word; a longer one is unknown."""
_MOST_REMEMBERED = 2**18

_CHINESE = (
    *((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F)),
    *((0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)),
)


class WordPiece:
    """See `dlcli.data.text.tokenizing.tokenizer.Tokenizer`; an unknown word is the token `<unk>`.

    Units such as URLs are words and marks like others, unless their kind is stripped. What looks like one of the
    model's special tokens, such as "[SEP]", is cut like any text.

    Args:
        spec: the specification.
        normal: what a text undergoes first: cleaning, Unicode's normal form.
        vocabulary: the pieces, in any order.
    """

    def __init__(self, spec: dict[str, Any], normal: Callable[[str], str], vocabulary: Sequence[str]) -> None:
        self.spec = spec
        self._normal = normal
        self._stripped = frozenset(spec["strip"])
        self._pieces = frozenset(vocabulary).difference(SPECIALS)
        self._longest = max(map(len, self._pieces), default=0)
        self._cleaned = _Table(lambda code: _cleaned(code, is_spaced=spec["chinese"]))
        self._spaced = _Table(_spaced)
        self._unmarked = _Table(lambda code: "" if unicodedata.category(chr(code)) == "Mn" else chr(code))
        self._remembered: dict[str, tuple[str, ...]] = {}

    def tokens(self, text: str) -> list[str]:
        """Return the pieces of a text."""
        text = without_units(self._normal(text), self._stripped).translate(self._cleaned)
        if self.spec["strip_accents"] and not text.isascii():
            text = unicodedata.normalize("NFD", text).translate(self._unmarked)
        if self.spec["lower"]:
            text = text.lower()
        return [piece for word in text.translate(self._spaced).split() for piece in self._cut(word)]

    def tokens_of_all(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the pieces of each text."""
        return [self.tokens(text) for text in texts]

    def _cut(self, word: str) -> tuple[str, ...]:
        """Return the pieces of a word, or the unknown token."""
        found = self._remembered.get(word)
        if found is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            found = self._remembered[word] = self._longest_pieces(word)
        return found

    def _longest_pieces(self, word: str) -> tuple[str, ...]:
        """Return the longest pieces from left to right."""
        if len(word) > _LONGEST:
            return (UNK_TOKEN,)
        pieces, start = [], 0
        while start < len(word):
            prefix = _CONTINUED if start else ""
            ends = range(min(len(word), start + self._longest), start, -1)
            end = next((end for end in ends if prefix + word[start:end] in self._pieces), None)
            if end is None:
                return (UNK_TOKEN,)
            pieces.append(prefix + word[start:end])
            start = end
        return tuple(pieces)


class _Table(dict[int, str]):
    """Characters that `str.translate` replaces, each judged once."""

    def __init__(self, judge: Callable[[int], str]) -> None:
        super().__init__()
        self._judge = judge

    def __missing__(self, code: int) -> str:
        self[code] = self._judge(code)
        return self[code]


def _cleaned(code: int, *, is_spaced: bool) -> str:
    """Return a space for a blank, nothing for a control character, and a Chinese character between spaces."""
    character = chr(code)
    category = unicodedata.category(character)
    if character in "\t\n\r" or category == "Zs":
        return " "
    if code == 0xFFFD or category[0] == "C":
        return ""
    if is_spaced and any(first <= code <= last for first, last in _CHINESE):
        return f" {character} "
    return character


def _spaced(code: int) -> str:
    """Return a mark between spaces; all of ASCII that is neither letter, digit nor blank is one."""
    character = chr(code)
    is_mark = 33 <= code < 127 and not character.isalnum()
    return f" {character} " if is_mark or unicodedata.category(character)[0] == "P" else character
