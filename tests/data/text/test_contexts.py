"""Pairs of words as word2vec draws them: against the paper's formulas, and the same in any batch."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.text.contexts import (
    PairDrawer,
    Pairs,
    keep_probabilities,
    noise_bounds,
    text_keys,
    word_counts,
)

SIGMAS = 5


def offsets_of(*lengths: int) -> np.ndarray:
    return np.cumsum([0, *lengths])


def draw(ids: np.ndarray, offsets: np.ndarray, keep: np.ndarray, *, epoch: int = 0, rows=None, **changes) -> Pairs:
    counts = np.bincount(ids, minlength=len(keep)) * (np.arange(len(keep)) > 1)
    options = {"bounds": noise_bounds(counts), "window": 5, "negatives": 5, "is_bag": False, **changes}
    rows = np.arange(len(offsets) - 1) if rows is None else np.asarray(rows)
    return PairDrawer(keep=keep, **options).draw(ids, offsets, rows, text_keys(3, epoch, rows))


def shares_fit(found: np.ndarray, total: int, probabilities: np.ndarray) -> bool:
    """Return whether counts are within five standard deviations of a binomial's mean."""
    spread = np.sqrt(total * probabilities * (1 - probabilities)) + 1e-9
    return bool((np.abs(found - total * probabilities) < SIGMAS * spread + 1e-6).all())


def test_probabilities_to_stay_follow_the_papers_formula():
    counts = np.array([0, 0, 900, 90, 10])
    found = keep_probabilities(counts, 0.01)
    assert found == pytest.approx([0, 0, np.sqrt(0.01 / 0.9), np.sqrt(0.01 / 0.09), 1])
    assert keep_probabilities(counts, 0).tolist() == [0, 0, 1, 1, 1]


def test_words_stay_as_often_as_their_probability_says():
    random = np.random.default_rng(0)
    ids = random.choice(np.arange(2, 6), 60_000, p=[0.7, 0.2, 0.09, 0.01])
    keep = keep_probabilities(np.bincount(ids), 0.02)
    pairs = draw(ids, offsets_of(*[6000] * 10), keep, is_bag=True)  # every word that stays is once a centre
    occurrences = np.bincount(ids, minlength=6)
    found = np.bincount(pairs.targets, minlength=6)
    for word in range(2, 6):
        assert shares_fit(found[word], occurrences[word], keep[word])


def test_noise_has_the_frequencies_to_three_quarters():
    random = np.random.default_rng(1)
    ids = np.concatenate([random.choice(np.arange(2, 7), 3000, p=[0.6, 0.25, 0.1, 0.04, 0.01]), [7, 8]])
    pairs = draw(ids, offsets_of(len(ids)), np.ones(9))
    powers = np.bincount(ids, minlength=9) ** 0.75 * (np.arange(9) > 1)
    expected = powers / powers.sum()
    chosen = pairs.noise[pairs.targets == 4].ravel()
    assert len(chosen) > 4000
    found = np.bincount(chosen, minlength=9)
    assert found[4] == 0  # the target itself is no noise, and counts as none
    expected[0], expected[4] = expected[4], 0
    assert shares_fit(found, len(chosen), expected)


def test_the_window_is_drawn_anew_for_each_word():
    ids = np.arange(2, 4002)
    pairs = draw(ids, offsets_of(4000), np.ones(4002), window=4)
    distances = np.abs(pairs.targets - pairs.bags[:, 0])
    for distance in range(1, 5):
        assert shares_fit(np.sum(distances == distance), 2 * (4000 - distance), np.array((4 - distance + 1) / 4))
    assert distances.max() == 4
    assert len(np.unique(pairs.bags)) == 4000


def test_a_window_of_one_pairs_all_neighbours_and_leaves_unknown_words_out_first():
    ids = np.array([2, 1, 3, 4, 5, 2, 3])
    keep = np.array([0, 0, 1, 1, 1, 1.0])
    offsets = offsets_of(4, 1, 2)
    pairs = draw(ids, offsets, keep, window=1)
    expected = [(2, 3), (3, 2), (3, 4), (4, 3), (2, 3), (3, 2)]
    assert list(zip(pairs.bags[:, 0].tolist(), pairs.targets.tolist(), strict=True)) == expected
    assert pairs.owners.tolist() == [0, 0, 0, 0, 2, 2]
    bags = draw(ids, offsets, keep, window=1, is_bag=True)
    assert bags.targets.tolist() == [2, 3, 4, 2, 3]
    assert bags.bags.tolist() == [[0, 3], [2, 4], [3, 0], [0, 3], [2, 0]]


@pytest.mark.parametrize("is_bag", [False, True])
def test_the_pairs_of_a_text_do_not_depend_on_its_batch(is_bag):
    random = np.random.default_rng(2)
    ids, offsets, keep = random.integers(1, 50, 400), offsets_of(100, 3, 197, 100), np.full(50, 0.7)
    together = draw(ids, offsets, keep, is_bag=is_bag, rows=[2, 0, 3])
    for place, row in enumerate([2, 0, 3]):
        alone, own = draw(ids, offsets, keep, is_bag=is_bag, rows=[row]), together.owners == place
        assert own.any()
        for name in ("bags", "targets", "noise"):
            assert np.array_equal(getattr(alone, name), getattr(together, name)[own])


def test_another_epoch_draws_other_pairs_and_the_same_epoch_the_same():
    ids, offsets, keep = np.arange(2, 202), offsets_of(200), np.full(202, 0.8)
    first, again, other = (draw(ids, offsets, keep, epoch=epoch) for epoch in (1, 1, 2))
    assert np.array_equal(first.noise, again.noise)
    assert len(first.noise) != len(other.noise)


def test_texts_without_pairs_give_none():
    pairs = draw(np.array([2, 1, 1]), offsets_of(1, 2), np.array([0, 0, 1.0]))
    assert (pairs.bags.shape, pairs.targets.shape, pairs.noise.shape) == ((0, 1), (0,), (0, 5))


def test_counts_leave_out_special_and_rare_words():
    assert word_counts(np.array([0, 1, 1, 1, 2, 3, 3]), 5, 2).tolist() == [0, 0, 0, 2, 0]
