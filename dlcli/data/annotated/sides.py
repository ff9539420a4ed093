"""Classes that differ by left and right alone, which a mirrored image exchanges. Torch-free."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

_ASIDE = re.compile(r"(?<![a-z])(left|right|l|r)(?![a-z])", re.IGNORECASE)
"""As a word, between signs or capitals: "left_hand", "hand-l"; not the "right" of "bright" or "copyright"."""

_OTHER = {"left": "right", "right": "left", "l": "r", "r": "l", "左": "右", "右": "左"}


def mirrored_labels(classes: Sequence[str]) -> np.ndarray:
    """Return the class that each class becomes in a mirror, (C,) int64: itself, unless the other side is a class too.

    "left_hand" and "right_hand", "leftHand" and "rightHand", "左手" and "右手" are exchanged. A name with both sides
    ("left to right") is exchanged as a whole.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    found = [numbers.get(_mirrored(name), number) for number, name in enumerate(classes)]
    return np.array(found, dtype=np.int64)


def _mirrored(name: str) -> str:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "\0", name)  # a capital begins a word
    other = _ASIDE.sub(lambda match: _like(match.group(), _OTHER[match.group().lower()]), parted)
    return re.sub("[左右]", lambda match: _OTHER[match.group()], other).replace("\0", "")


def _like(word: str, other: str) -> str:
    """Return the other word with the capitals of a word."""
    return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other
