"""How texts in which blanks set words apart are cut: words and punctuation, or characters with their blanks."""

from __future__ import annotations

import re

from dlcli.data.text.tokenizing.joining import split_words
from dlcli.data.text.tokenizing.kinds import CONTROL
from dlcli.data.text.tokenizing.pieces import BLANK

PLACE = "\0"
"""Placeholder of a unit while the text around it is tokenised; no tokenizer joins it to other characters."""

_WORD = re.compile(rf"[^\s{CONTROL}]+")
_SEEN = re.compile(rf"(?:{PLACE}|[^\s{CONTROL}])+")


def cut_words(text: str) -> list[str]:
    """Return the words and the punctuation of a text, and each `PLACE`."""
    words: list[str] = []
    for number, part in enumerate(text.split(PLACE)):
        words += [PLACE] * bool(number) + [word for word in split_words(part) if _WORD.fullmatch(word)]
    return words


def cut_spaced(text: str) -> list[str]:
    """Return the characters of a text, with a sign for each run of blanks, and each `PLACE`."""
    return [BLANK if character == " " else character for character in " ".join(_SEEN.findall(text))]
