"""The characters of texts as numbers, for networks that read them beside the tokens. Imports no torch.

Characters need no vocabulary: a network hashes their n-grams. They are those that the tokenizer leaves, so a kind of
unit that it strips, such as emoticons, is not seen by the back door.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcli.data.text.cleaners import Cleaner
from dlcli.data.text.cleaning import clean_text
from dlcli.data.text.tokenizing.kinds import without_units

PER_TOKEN = 6
"""Characters per token at which texts are truncated: an English word and its space; a Chinese word has 1.6."""

NO_CHARACTERS = 1
"""The number that stands for a text without characters; no text contains this control character."""

_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, eq=False)
class Characters:
    """The characters of many texts.

    Attributes:
        codes: (L,) int32, the code points of all texts, concatenated.
        offsets: (M + 1,) int64, the offset of each text, and the end of the last.
    """

    codes: np.ndarray
    offsets: np.ndarray


Read = Callable[[str], np.ndarray]
"""(text) -> (L,) int64 code points, at least one."""


def text_reader(spec: Mapping[str, Any]) -> Callable[[str], str]:
    """Return the function that makes of a text what prepared data holds of it.

    It is cleaned as the tokenizer cleans it, and a space stands in place of each unit that the tokenizer strips.

    Args:
        spec: the tokenizer's specification.
    """
    cleaner = Cleaner(spec["clean"]["kinds"]) if "clean" in spec else None
    stripped = frozenset(spec["strip"])

    def read(text: str) -> str:
        return clean_text(without_units(cleaner(text) if cleaner is not None else text, stripped))

    return read


def character_reader(spec: Mapping[str, Any], most: int) -> Read:
    """Return the function that reads the characters of a text.

    They are in lower case, and each run of blanks is one space; `text_reader` says of which text. Stop words and stems
    concern words alone.

    Args:
        spec: the tokenizer's specification.
        most: maximum number of characters of a text; the rest is cut off.
    """
    read_text = text_reader(spec)

    def read(text: str) -> np.ndarray:
        left = _BLANKS.sub(" ", read_text(text)).strip().lower()[:most]
        codes = np.frombuffer(left.encode("utf-32-le"), dtype="<u4").astype(np.int64)
        return codes if len(codes) else np.array([NO_CHARACTERS])

    return read


def pack_characters(texts: Iterable[str], read: Read) -> Characters:
    """Return the characters of many texts, each as `read` returns them."""
    codes = [read(text).astype(np.int32) for text in texts]
    offsets = np.cumsum([0, *map(len, codes)], dtype=np.int64)
    return Characters(np.concatenate(codes) if codes else np.zeros(0, np.int32), offsets)
