"""Words and their contexts, drawn from texts as word2vec draws them: subsampling, windows, noise. Torch-free.

Every random number is a function of the seed, the epoch, the text and the place in it, by a hash and not by a generator
with state: so the pairs of a text do not depend on the batch that it is in, on the process, or on what was read before.

Source: Mikolov et al. 2013, arXiv:1310.4546, and the code that came with it: unknown words are left out first, then
frequent ones at random, and only then are windows laid over what remains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlcli.data.text.vocabulary import SPECIALS

NOISE_POWER = 0.75
"""Noise words are drawn from the frequencies to this power (section 2.2)."""

_STEP, _FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_KEEP, _WINDOW, _NOISE = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Pairs:
    """Words to predict with, words to predict, and noise.

    Attributes:
        bags: (P, B) int64, the words of which a prediction is made: one, or a context of several; 0 for none.
        targets: (P,) int64, the word to predict.
        noise: (P, K) int64 drawn words; 0 where it is the target itself, which counts as none.
        owners: (P,) int64, the text's place among the given ones.
    """

    bags: np.ndarray
    targets: np.ndarray
    noise: np.ndarray
    owners: np.ndarray


def keep_probabilities(counts: np.ndarray, threshold: float) -> np.ndarray:
    """Return the probability with which each occurrence of a word stays, (V,) float64: min(1, sqrt(threshold / f)).

    Args:
        counts: (V,) occurrences; a word without any never stays.
        threshold: t of section 2.3, on the scale of the relative frequency f; 0 keeps every word.
    """
    shares = counts / max(int(counts.sum()), 1)
    if not threshold:
        return (counts > 0).astype(np.float64)
    return np.where(counts > 0, np.minimum(1, np.sqrt(threshold / np.maximum(shares, 1e-300))), 0.0)


def noise_bounds(counts: np.ndarray) -> np.ndarray:
    """Return where each word's share of the noise ends in (0, 1], (V,) float64; its size is by counts ** 0.75."""
    bounds = np.cumsum(counts.astype(np.float64) ** NOISE_POWER)
    return bounds / bounds[-1]


def word_counts(ids: np.ndarray, vocab_size: int, min_count: int) -> np.ndarray:
    """Return how often each word occurs, (V,) int64; 0 for the special ones and those rarer than `min_count`."""
    counts = np.bincount(ids, minlength=vocab_size).astype(np.int64)
    counts[: len(SPECIALS)] = 0
    counts[counts < min_count] = 0
    return counts


def flat_words(ids: np.ndarray, offsets: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the words of some texts, the place of each one's text among `rows`, its own there, (T,) int64."""
    starts, counts = offsets[rows], offsets[rows + 1] - offsets[rows]
    owners = np.repeat(np.arange(len(rows)), counts)
    places = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return ids[places + starts[owners]].astype(np.int64), owners, places


def text_keys(seed: int, epoch: int, rows: np.ndarray) -> np.ndarray:
    """Return a key of each text, (N,) uint64, from which its random numbers are made."""
    first = _hash(np.array([seed & (2**64 - 1)], np.uint64))
    return _hash(_hash(first + np.uint64(epoch)) ^ rows.astype(np.uint64))


@dataclass(frozen=True, eq=False)
class PairDrawer:
    """Draws pairs from texts.

    Attributes:
        keep: (V,) the probability with which a word stays.
        bounds: (V,) see `noise_bounds`.
        window: the largest distance of a context word; that of each centre is drawn from 1 to this.
        negatives: K, noise words for each pair.
        is_bag: whether the context predicts the centre (CBOW), in place of the centre each of its context (skip-gram).
    """

    keep: np.ndarray
    bounds: np.ndarray
    window: int
    negatives: int
    is_bag: bool

    def draw(self, ids: np.ndarray, offsets: np.ndarray, rows: np.ndarray, keys: np.ndarray) -> Pairs:
        """Return the pairs of some texts.

        Args:
            ids: (L,) integers, the tokens of all texts, concatenated.
            offsets: (M + 1,) the offset of each text, and the end of the last.
            rows: (N,) the texts.
            keys: (N,) their keys, see `text_keys`.
        """
        words, owners, places = flat_words(ids, offsets, rows)
        own_keys = keys[owners] + places.astype(np.uint64) * _STEP
        is_kept = _uniform(own_keys, _KEEP) < self.keep[words]
        words, owners, own_keys = words[is_kept], owners[is_kept], own_keys[is_kept]
        distances = np.array([*range(-self.window, 0), *range(1, self.window + 1)])
        reach = 1 + (_uniform(own_keys, _WINDOW) * self.window).astype(np.int64)
        others = np.arange(len(words))[:, None] + distances
        is_context = (others >= 0) & (others < len(words)) & (np.abs(distances) <= reach[:, None])
        others = np.clip(others, 0, max(len(words) - 1, 0))
        is_context &= owners[others] == owners[:, None]
        if self.is_bag:
            centres = np.flatnonzero(is_context.any(axis=1))
            bags, targets = np.where(is_context, words[others], 0)[centres], words[centres]
            slots = np.zeros(len(centres), np.int64)
        else:
            centres, slots = np.nonzero(is_context)
            bags, targets = words[centres, None], words[others[centres, slots]]
        streams = _NOISE + slots[:, None] * self.negatives + np.arange(self.negatives)
        drawn = np.searchsorted(self.bounds, _uniform(own_keys[centres, None], streams), side="right")
        noise = np.where(drawn == targets[:, None], 0, drawn)
        return Pairs(bags, targets, noise, owners[centres])


def _uniform(keys: np.ndarray, stream: np.ndarray | int) -> np.ndarray:
    """Return a number in [0, 1) for each key and stream, which are broadcast."""
    return (_hash(keys ^ _hash(np.asarray(stream).astype(np.uint64))) >> np.uint64(11)) * 2.0**-53


def _hash(values: np.ndarray) -> np.ndarray:
    """Return the values mixed by splitmix64 (Steele et al. 2014), uint64; equal ones stay equal."""
    with np.errstate(over="ignore"):
        mixed = values + _STEP
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
        return np.asarray(mixed ^ (mixed >> np.uint64(31)))
