"""N-gram probabilities from counts: interpolated Kneser-Ney with modified discounts, and add-k. Numpy alone.

A table of level j knows contexts of j tokens. A context is a node of a tree that is entered at its newest token and
goes back in time: its key is its parent's number times the size of the vocabulary plus its oldest token, so that
backing off to a shorter context is to stop earlier. An n-gram's key is its context's number times that size plus its
token. All keys are sorted, and looked up exactly.

Sources: Chen & Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling", TR-10-98, Harvard:
eq. 22-26 (Kneser-Ney, modified discounts) and section 2.1 (additive smoothing).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BOUNDARY = 0
"""The token before the first and behind the last of a text."""
DEFAULT_DISCOUNT = 0.5
"""Where no n-gram occurs once, or none twice, so that no discount can be estimated."""


@dataclass(frozen=True, eq=False)
class Level:
    """The contexts of one length, C of them, and the G n-grams that end them.

    Attributes:
        contexts: (C,) int64 sorted keys; of level 0 there is one, 0.
        rest: (C,) float64, the share of each context that goes to the next lower level.
        grams: (G,) int64 sorted keys.
        values: (G,) float64, each n-gram's own probability, to which its part of the rest is added.
    """

    contexts: np.ndarray
    rest: np.ndarray
    grams: np.ndarray
    values: np.ndarray


def windows_of(texts: Sequence[np.ndarray], ends: Sequence[bool], order: int) -> np.ndarray:
    """Return each prediction with the `order` - 1 tokens before it, (M, order) int64.

    Args:
        texts: the ids of each text, (T,); before it there are boundaries.
        ends: whether a text ends there, which is a prediction of the boundary.
        order: n.
    """
    before = np.zeros(order - 1, np.int64)
    parts, is_said = [before], [np.zeros(order - 1, bool)]
    for text, has_end in zip(texts, ends, strict=True):
        said = np.concatenate([text, [BOUNDARY]]) if has_end else np.asarray(text)
        parts += [said, before]
        is_said += [np.ones(len(said), bool), np.zeros(order - 1, bool)]
    stream, mask = np.concatenate(parts).astype(np.int64), np.concatenate(is_said)
    if not mask.any():
        return np.empty((0, order), np.int64)
    return np.array(np.lib.stride_tricks.sliding_window_view(stream, order)[mask[order - 1 :]])


def kneser_ney(windows: np.ndarray, vocab_size: int) -> list[Level]:
    """Return the levels 0 to n - 1 of an interpolated Kneser-Ney model.

    The highest level counts n-grams. Each lower one counts before how many different tokens an n-gram occurs, which is
    how it is probable after a context that is new. Below level 0 every token is equally probable.

    Args:
        windows: (M, n) int64, M at least 1.
        vocab_size: V.
    """
    numbers, contexts = _contexts(windows, vocab_size)
    levels: list[Level] = []
    keys = [number * vocab_size + windows[:, -1] for number in numbers]
    rows = np.arange(len(windows))  # one row for each occurrence, then for each different n-gram
    for level in range(len(numbers) - 1, -1, -1):
        grams, firsts, counts = np.unique(keys[level][rows], return_index=True, return_counts=True)
        rows = rows[firsts]
        discounts = np.minimum(_discounts(counts)[np.minimum(counts, 3)], counts)
        owners = grams // vocab_size
        size = len(contexts[level])
        totals = np.bincount(owners, counts, size)
        rest = np.bincount(owners, discounts, size) / totals
        levels.append(Level(contexts[level], rest, grams, (counts - discounts) / totals[owners]))
    return levels[::-1]


def additive(windows: np.ndarray, vocab_size: int, k: float) -> list[Level]:
    """Return the levels of a model in which every n-gram counts `k` more than it occurs.

    Only the highest level has n-grams; what a context leaves is spread evenly, as after a context that is new.

    Args:
        windows, vocab_size: as in `kneser_ney`.
        k: more than 0.
    """
    numbers, contexts = _contexts(windows, vocab_size)
    levels = [
        Level(each, np.ones(len(each)), np.empty(0, np.int64), np.empty(0)) for each in contexts[:-1]
    ]  # a shorter context says nothing
    grams, counts = np.unique(numbers[-1] * vocab_size + windows[:, -1], return_counts=True)
    owners = grams // vocab_size
    totals = np.bincount(owners, counts, len(contexts[-1])) + k * vocab_size
    return [*levels, Level(contexts[-1], k * vocab_size / totals, grams, counts / totals[owners])]


def _contexts(windows: np.ndarray, vocab_size: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return for each level the number of each window's context, (M,), and the keys of the contexts, (C,)."""
    numbers, contexts = [np.zeros(len(windows), np.int64)], [np.zeros(1, np.int64)]
    for place in range(windows.shape[1] - 2, -1, -1):
        found, own = np.unique(numbers[-1] * vocab_size + windows[:, place], return_inverse=True)
        contexts.append(found)
        numbers.append(own.reshape(-1).astype(np.int64))
    return numbers, contexts


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Return (4,) float64, what is taken from n-grams that occur 0, 1, 2, and 3 or more times (eq. 26).

    Where the texts are too few to estimate three, a single discount (Ney et al. 1994) takes their place: it is in
    (0, 1), so every token keeps a probability.
    """
    once, twice, thrice, four = (int((counts == number).sum()) for number in (1, 2, 3, 4))
    if not once or not twice:
        return np.array([0.0, *[DEFAULT_DISCOUNT] * 3])
    share = once / (once + 2 * twice)
    if not thrice or not four:
        return np.array([0.0, share, share, share])
    modified = [1 - 2 * share * twice / once, 2 - 3 * share * thrice / twice, 3 - 4 * share * four / thrice]
    is_possible = all(0 < value <= most for value, most in zip(modified, (1, 2, 3), strict=True))
    return np.array([0.0, *(modified if is_possible else [share] * 3)])
