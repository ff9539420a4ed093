"""Batches by tokens: every pair once, equal padded sizes, little padding, a constant number of batches."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.order import Shard
from dlcli.data.parallel.order import TokenOrder, padded_widths

RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.geometric(0.12, 2000) + 3
SOURCES = np.maximum(1, np.rint(TARGETS * RANDOM.uniform(0.6, 1.4, 2000))).astype(np.int64)


def order(seed=0, num_tokens=600, count=2000, shard=None, sources=SOURCES, targets=TARGETS):
    rows = np.arange(count)
    return TokenOrder(rows, sources, targets, num_tokens, seed=seed, **({"shard": shard} if shard else {}))


def padded_sizes(found, epoch=0):
    rows, bounds = found.epoch(epoch), found.cuts(epoch)
    return padded_widths(SOURCES[rows], TARGETS[rows], bounds) * np.diff(bounds)


@pytest.mark.parametrize("seed", [None, 0, 7])
def test_every_pair_is_in_one_batch_and_their_number_is_constant(seed):
    found = order(seed)
    assert found.num_batches == round((SOURCES + TARGETS).sum() / 600)
    for epoch in range(3):
        batches = list(found.batches(epoch, 0))
        assert len(batches) == found.num_batches
        assert sorted(np.concatenate(batches).tolist()) == list(range(2000))
        assert min(map(len, batches)) >= (1 if seed is None else 2)


def test_padded_sizes_are_about_equal_and_little_of_them_is_padding():
    sizes = padded_sizes(order())
    real = (SOURCES + TARGETS).sum()
    plain = order(seed=0).indices.reshape(-1, 20)
    unsorted = sum((SOURCES[rows].max() + TARGETS[rows].max()) * 20 for rows in plain)
    assert sizes.sum() < 1.15 * real < 0.6 * unsorted
    assert sizes.max() < 1.3 * sizes.mean()
    assert padded_sizes(order(None)).sum() < 1.1 * real


def test_an_epoch_is_a_function_of_its_seed_and_number():
    first = order()
    for epoch in (4, 0, 4):
        np.testing.assert_array_equal(first.epoch(epoch), order().epoch(epoch))
        np.testing.assert_array_equal(first.cuts(epoch), order().cuts(epoch))
    groups = [{tuple(sorted(rows.tolist())) for rows in order(seed).batches(epoch, 0)} for seed, epoch in SEEDS]
    assert len(groups[0] & groups[1]) < 5 and len(groups[0] & groups[2]) < 5
    widths = padded_widths(SOURCES[first.epoch(0)], TARGETS[first.epoch(0)], first.cuts(0))
    assert widths.tolist() != sorted(widths.tolist())
    assert [rows.tolist() for rows in order(None).batches(0, 0)] == [
        rows.tolist() for rows in order(None).batches(5, 0)
    ]


SEEDS = [(0, 0), (0, 1), (1, 0)]


def test_an_epoch_is_entered_in_its_middle_and_shared_by_processes():
    whole = list(order().batches(2, 0))
    assert [rows.tolist() for rows in order().batches(2, 9)] == [rows.tolist() for rows in whole[9:]]
    shards = [list(order(num_tokens=300, shard=Shard(rank, 2)).batches(2, 0)) for rank in range(2)]
    for one, other, both in zip(*shards, whole, strict=True):
        assert sorted([*one.tolist(), *other.tolist()]) == sorted(both.tolist())
        assert abs(len(one) - len(other)) <= 1


@pytest.mark.parametrize(("count", "num_tokens"), [(0, 10), (1, 10), (2, 10), (3, 1), (9, 10**9), (50, 1)])
@pytest.mark.parametrize("seed", [None, 0])
def test_few_pairs_and_extreme_sizes(seed, count, num_tokens):
    found = order(seed, num_tokens, count)
    batches = list(found.batches(0, 0))
    assert len(batches) == found.num_batches <= max(count, 0)
    assert sorted(np.concatenate([np.empty(0, np.int64), *batches]).tolist()) == list(range(count))


def test_one_long_pair_does_not_swallow_a_batch():
    targets = TARGETS.copy()
    targets[5] = 550
    found = order(targets=targets)
    rows = next(rows for rows in found.batches(0, 0) if 5 in rows)
    assert len(rows) <= 3
