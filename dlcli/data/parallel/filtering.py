"""Which sentence pairs are of use: neither empty, nor equal, too long, of unlike lengths, or there before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dlcli.data.parallel.languages import WITHOUT_BLANKS

WORD_CHARACTERS = 10
"""A word with more characters counts as several, so that a line without blanks is not one word."""
_SMOOTHING = 3
"""Words added to both lengths before they are compared: "Hi." may well be three words in another language."""


@dataclass
class Filtered:
    """The pairs that are of use, and how many are not.

    Attributes:
        pairs: those of use, in their order.
        counts: reason -> number of pairs that were dropped for it: `empty` (a side has nothing to read), `identical`
            (both sides are equal), `too_long`, `unequal` (in length), `duplicates` (of an earlier pair).
    """

    pairs: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def num_words(sentence: str, language: str) -> int:
    """Return the length of a sentence: in words of up to 10 characters, or in characters where words have no blanks."""
    if language in WITHOUT_BLANKS:
        return len(sentence)
    return sum(-(-len(word) // WORD_CHARACTERS) for word in sentence.split())


def filter_pairs(
    pairs: Sequence[tuple[str, str]], languages: tuple[str, str], *, max_length: int, max_ratio: float
) -> Filtered:
    """Return the pairs that are of use.

    Two lengths are unequal if the longer is over `max_ratio` times the shorter, once the sides are brought to one mean
    and three words are added to both; Moses' clean-corpus-n.perl compares the plain ones.

    Args:
        pairs: cleaned sentences.
        languages: of source and target.
        max_length: the largest number of words (`num_words`) of a sentence.
        max_ratio: see above.
    """
    found = Filtered(counts=dict.fromkeys(("empty", "identical", "too_long", "unequal", "duplicates"), 0))
    sized: list[tuple[str, str]] = []
    lengths: list[tuple[int, int]] = []
    for source, target in pairs:
        length = (num_words(source, languages[0]), num_words(target, languages[1]))
        if not source or not target:
            found.counts["empty"] += 1
        elif source == target:
            found.counts["identical"] += 1
        elif max(length) > max_length:
            found.counts["too_long"] += 1
        else:
            sized.append((source, target))
            lengths.append(length)
    is_like = are_alike(np.array(lengths, np.float64).reshape(-1, 2), max_ratio)
    found.counts["unequal"] = int((~is_like).sum())
    like = [pair for pair, is_kept in zip(sized, is_like.tolist(), strict=True) if is_kept]
    found.pairs = list(dict.fromkeys(like))
    found.counts["duplicates"] = len(like) - len(found.pairs)
    return found


def are_alike(lengths: np.ndarray, max_ratio: float) -> np.ndarray:
    """Return which pairs of lengths, (N, 2) positive, differ by at most a factor; see `filter_pairs`. (N,) bool."""
    if not len(lengths):
        return np.zeros(0, bool)
    means = lengths.mean(axis=0)
    source, target = (lengths * means.max() / means + _SMOOTHING).T
    return np.asarray(np.maximum(source / target, target / source) <= max_ratio)
