"""The kinds of token that the audit examines: emoticons, URLs, @names, hashtags, marks, digits, latin letters, emoji.

Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from dlcli.data.text.tokenizing.kinds import kind_of, split_units

if TYPE_CHECKING:
    from dlcli.data.text.form import TextForm

MARKS, DIGITS, LATIN, EMOJI, LENGTH = "marks", "digits", "latin", "emoji", "length"

PATTERNS = {
    MARKS: re.compile("[!?！？]"),
    DIGITS: re.compile("[0-9０-９]+"),
    LATIN: re.compile("[A-Za-z]+"),
    EMOJI: re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]"),
}
"""Patterns searched in the text between units that are one token each."""

SHOWN = {
    "emoticon": "emoticons",
    "url": "URLs",
    "mention": "@names",
    "hashtag": "hashtags",
    MARKS: "exclamation and question marks",
    DIGITS: "digits",
    LATIN: "latin letters",
    EMOJI: "emoji",
    LENGTH: "text length",
}
"""Kind -> its name for users; the length of a text counts as a kind."""


def kind_of_token(token: str) -> str:
    """Return the kind of a token of the vocabulary; empty where it is a word."""
    kind = kind_of(token)
    if kind is not None:
        return kind
    return next((name for name, pattern in PATTERNS.items() if _is_all(name, pattern, token)), "")


def _is_all(name: str, pattern: re.Pattern[str], token: str) -> bool:
    parts: Iterable[str] = token if name in (MARKS, EMOJI) else (token,)
    return bool(token) and all(map(pattern.fullmatch, parts))


def count_units(text: str, stripped: frozenset[str] = frozenset()) -> dict[str, int]:
    """Return kind -> number of its units in a text, excluding the kinds in `stripped`.

    A kind that does not occur may be missing; "length" is the number of characters.
    """
    counts = {LENGTH: 0}
    for piece, kind in split_units(text):
        if kind in stripped:
            continue
        counts[LENGTH] += len(piece)
        if kind is not None:
            counts[kind] = counts.get(kind, 0) + 1
            continue
        for name, pattern in PATTERNS.items():
            counts[name] = counts.get(name, 0) + len(pattern.findall(piece))
    return counts


def read_counts(form: TextForm, split: str, most: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return kind -> (N,) number of its tokens in each text, and the labels, (N,), of at most `most` texts of a split.

    The texts are spread evenly over the split. They are read because packed ids do not contain most URLs and @names,
    which occur in one text each and are therefore not in the vocabulary. Kinds that the tokenizer strips are excluded.
    """
    labels = np.asarray(form.labels(split))
    rows = np.unique(np.linspace(0, len(labels) - 1, min(most, len(labels))).astype(np.int64))
    stripped = frozenset(form.tokenizer_spec().get("strip", ()))
    found = [count_units(text, stripped) for text in form.texts(split, rows.tolist())]
    return {kind: np.array([counts.get(kind, 0) for counts in found]) for kind in SHOWN}, labels[rows]
