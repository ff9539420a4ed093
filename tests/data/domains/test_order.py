"""Which images of two domains meet."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.domains.order import DomainOrder
from dlcli.data.order import Shard


@pytest.mark.parametrize("counts", [(3, 7), (7, 3), (5, 5), (1, 6), (6, 1)])
def test_an_epoch_shows_each_image_as_often_as_any_other_or_once_more(counts: tuple[int, int]) -> None:
    order = DomainOrder(counts, 2, seed=1, paired=False)
    assert order.num_items == max(counts)
    rows = order.rows(4)
    for domain, count in enumerate(counts):
        shown = np.bincount(rows[:, domain], minlength=count)
        assert shown.max() - shown.min() <= 1
    np.testing.assert_array_equal(rows[:, 0], np.arange(max(counts)) % counts[0])


def test_partners_come_once_before_any_comes_twice() -> None:
    order = DomainOrder((11, 4), 3, seed=0, paired=False)
    met = order.rows(2)[order.epoch(2), 1]
    assert sorted(met[:4]) == sorted(met[4:8]) == [0, 1, 2, 3]
    assert len(set(met[8:])) == 3


def test_partners_are_a_function_of_seed_and_epoch() -> None:
    def rows(seed: int, epoch: int) -> np.ndarray:
        return DomainOrder((9, 9), 2, seed=seed, paired=False).rows(epoch)

    order = DomainOrder((9, 9), 2, seed=5, paired=False)
    order.rows(7)
    np.testing.assert_array_equal(order.rows(3), rows(5, 3))
    assert (rows(5, 3) != rows(5, 4)).any() and (rows(5, 3) != rows(6, 3)).any()
    assert (np.sort(rows(5, 3)[:, 1]) == np.arange(9)).all()


def test_pairs_stay_together() -> None:
    order = DomainOrder((6, 6), 2, seed=5, paired=True)
    np.testing.assert_array_equal(order.rows(3), np.stack([np.arange(6)] * 2, axis=1))
    assert (order.epoch(3) != order.epoch(4)).any()


def test_processes_share_the_items_of_one_order() -> None:
    whole = DomainOrder((8, 5), 4, seed=2, paired=False)
    halves = [DomainOrder((8, 5), 2, seed=2, paired=False, shard=Shard(rank, 2)) for rank in range(2)]
    for batch, *parts in zip(whole.batches(1, 0), *(half.batches(1, 0) for half in halves), strict=True):
        assert sorted(batch) == sorted(np.concatenate(parts))
    np.testing.assert_array_equal(whole.rows(1), halves[1].rows(1))
