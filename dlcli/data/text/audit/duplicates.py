"""Texts that occur in two splits of a prepared dataset, found by hashes of their letters. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlcli.data.text.tokenizing.kinds import without_units

if TYPE_CHECKING:
    from dlcli.data.text.form import TextForm

BLOCK_TOKENS = 4_000_000
"""Tokens hashed at a time."""
MOST_VERIFIED = 20_000
"""Maximum texts per split that are read to verify that they are duplicates, those of equal hashes together."""
HASH_BASE = np.uint64(0x9E3779B97F4A7C15)
"""An odd number with well-mixed bits (2^64 / golden ratio; Knuth, The Art of Computer Programming 3, 6.4)."""


@dataclass(frozen=True)
class Copies:
    """The texts of one split that also occur in another, ignoring whitespace and punctuation.

    Attributes:
        split, other: names of the two splits.
        pairs: (row, row of the other split), sorted by row.
        is_complete: whether all candidates were compared; if not, there may be more.
    """

    split: str
    other: str
    pairs: list[tuple[int, int]]
    is_complete: bool


def find_copies(form: TextForm) -> list[Copies]:
    """Return the texts that occur in two splits, for each pair of splits that shares any or was not searched in full.

    The tokens' hashes are combined to one of the text's letters and digits, which does not depend on token boundaries;
    texts with equal hashes are read and compared. The hash ignores tokens outside the vocabulary.
    """
    tokens = form.vocabulary().tokens
    splits = [name for name in ("train", "valid", "test") if name in form.splits()]
    hashes = {split: text_hashes(form, split, tokens) for split in splits}
    stripped = frozenset(form.tokenizer_spec().get("strip", ()))
    found = []
    for index, split in enumerate(splits):
        for other in splits[:index]:
            copies = _compare(form, (split, hashes[split]), (other, hashes[other]), stripped)
            if copies.pairs or not copies.is_complete:
                found.append(copies)
    return found


def _compare(
    form: TextForm, first: tuple[str, np.ndarray], second: tuple[str, np.ndarray], stripped: frozenset[str]
) -> Copies:
    (split, hashes), (other, other_hashes) = first, second
    is_known = hashes != 0
    candidates = np.flatnonzero(is_known & np.isin(hashes, other_hashes))
    rows = candidates[:MOST_VERIFIED]
    # Only what has the hash of one of these rows, wherever it stands: the splits may be in different orders.
    partners = np.flatnonzero(np.isin(other_hashes, hashes[rows]))
    other_rows = _first_of_each(partners, other_hashes[partners], MOST_VERIFIED)
    is_complete = len(rows) == len(candidates) and len(other_rows) == len(partners)
    first_row: dict[str, int] = {}
    for row, text in zip(other_rows.tolist(), form.texts(other, other_rows.tolist()), strict=True):
        first_row.setdefault(letters_of(text, stripped), row)
    pairs = []
    for row, text in zip(rows.tolist(), form.texts(split, rows.tolist()), strict=True):
        letters = letters_of(text, stripped)
        if letters and letters in first_row:
            pairs.append((row, first_row[letters]))
    return Copies(split, other, pairs, is_complete)


def _first_of_each(rows: np.ndarray, hashes: np.ndarray, most: int) -> np.ndarray:
    """Return at most `most` of the rows in their order, the first of each hash before any second one."""
    if len(rows) <= most:
        return rows
    _, first = np.unique(hashes, return_index=True)
    is_first = np.isin(np.arange(len(rows)), first)
    return np.sort(np.concatenate([rows[is_first], rows[~is_first]])[:most])


def letters_of(text: str, stripped: frozenset[str] = frozenset()) -> str:
    """Return the letters and digits of a text, in all scripts, without units of the kinds in `stripped`."""
    return "".join(character for character in without_units(text, stripped) if character.isalnum())


def text_hashes(form: TextForm, split: str, vocabulary: Sequence[str]) -> np.ndarray:
    """Return a hash of the letters and digits of each text, (N,) uint64; 0 for a text without any.

    The hash is a polynomial of the characters modulo 2^64, combined from the tokens': h(ab) = h(a) + h(b) B^len(a).

    Args:
        form: the prepared texts.
        split: name of the split, of N texts.
        vocabulary: the tokens by id.
    """
    token_hashes, token_lengths = _token_hashes(vocabulary)
    offsets, ids = np.asarray(form.offsets(split)), form.ids(split)
    hashes = np.zeros(len(offsets) - 1, np.uint64)
    first = 0
    while first < len(hashes):
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + BLOCK_TOKENS, side="right")) - 1)
        bounds = offsets[first : last + 1] - offsets[first]
        block = np.asarray(ids[offsets[first] : offsets[last]], dtype=np.int64)
        before = np.concatenate([[0], np.cumsum(token_lengths[block])])  # characters before each token of the block
        starts = before[bounds[:-1]]
        places = before[:-1] - np.repeat(starts, np.diff(bounds))
        powers = _powers(int(places.max(initial=0)) + 1)
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(token_hashes[block] * powers[places])])
        hashes[first:last] = sums[bounds[1:]] - sums[bounds[:-1]]
        first = last
    return hashes


def _powers(count: int) -> np.ndarray:
    powers = np.full(count, HASH_BASE, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


def _token_hashes(vocabulary: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return hash and number of letters and digits of each token, (V,); both are 0 for the two special tokens."""
    tokens = ["", "", *vocabulary[2:]]
    codes = np.frombuffer("".join(tokens).encode("utf-32-le", "surrogatepass"), "<u4")
    ends = np.cumsum([len(token) for token in tokens])
    distinct, inverse = np.unique(codes, return_inverse=True)
    is_letter = np.array([chr(code).isalnum() for code in distinct.tolist()], dtype=bool)[inverse]
    letters_before = np.concatenate([[0], np.cumsum(is_letter)])
    starts = np.concatenate([[0], ends[:-1]])
    lengths = letters_before[ends] - letters_before[starts]
    owners = np.repeat(np.arange(len(tokens)), np.diff(ends, prepend=0))
    places = letters_before[:-1] - letters_before[starts][owners]
    powers = _powers(int(places.max(initial=0)) + 1)
    terms = np.where(is_letter, _mixed(codes) * powers[places], np.uint64(0))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms)])
    return sums[ends] - sums[starts], lengths


def _mixed(codes: np.ndarray) -> np.ndarray:
    """Return the code points mixed to 64 bits (the finaliser of splitmix64, Steele et al. 2014)."""
    bits = (codes.astype(np.uint64) + np.uint64(1)) * HASH_BASE
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
