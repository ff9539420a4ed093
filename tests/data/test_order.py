"""Orders: every item once an epoch, the same number of batches in each, shards that share every batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data.order import WHOLE, Order, Shard, SizedOrder, balanced_draw, cuts_by_size, occurrences

SIZES = np.random.default_rng(0).integers(1, 60, 400)


def test_an_epoch_is_a_permutation_that_seed_and_epoch_decide():
    indices = np.arange(100, 200)
    order, same, other = (Order(indices, 8, seed=seed) for seed in (1, 1, 2))
    assert sorted(order.epoch(0)) == indices.tolist()
    assert order.epoch(0).tolist() == same.epoch(0).tolist()
    assert order.epoch(0).tolist() != order.epoch(1).tolist()
    assert order.epoch(0).tolist() != other.epoch(0).tolist()


def test_without_a_seed_the_order_stays():
    assert Order(np.array([5, 3, 9]), 2, seed=None).epoch(7).tolist() == [5, 3, 9]


@pytest.mark.parametrize(
    ("count", "size", "training", "evaluation"),
    [
        (16, 8, (2, 16), (2, 16)),
        (17, 8, (2, 17), (3, 17)),
        (18, 8, (3, 18), (3, 18)),
        (1, 8, (1, 1), (1, 1)),
        (0, 8, (0, 0), (0, 0)),
    ],
)
def test_a_rest_of_one_item_joins_the_batch_before_it_in_training(count, size, training, evaluation):
    for seed, expected in ((0, training), (None, evaluation)):
        order = Order(np.arange(count), size, seed=seed)
        sizes = [len(indices) for indices in order.batches(0, 0)]
        assert (len(sizes), sum(sizes)) == (order.num_batches, order.num_items) == expected


@pytest.mark.parametrize("count", [40, 41, 42, 43, 47, 64, 7])
@pytest.mark.parametrize("seed", [3, None])
@pytest.mark.parametrize("size", [2, 3])
def test_shards_share_every_batch_without_duplicates_or_losses(count, seed, size):
    indices = np.arange(100, 100 + count)
    shards = [list(Order(indices, 4, seed=seed, shard=Shard(rank, size)).batches(2, 0)) for rank in range(size)]
    whole = [set(batch) for batch in Order(indices, 4 * size, seed=seed).batches(2, 0)]
    seen: dict[int, list[int]] = {}
    for shard in shards:
        for number, batch in enumerate(shard):  # a shard without a share of the last batch has one batch fewer
            seen.setdefault(number, []).extend(batch.tolist())
    assert sorted(row for rows in seen.values() for row in rows) == indices.tolist()
    if seed is not None:
        assert {len(shard) for shard in shards} == {len(shards[0])}, "every process takes part in every step"
        assert count < 2 * size or all(len(batch) >= 2 for shard in shards for batch in shard)
    if count % (4 * size) == 0:
        assert [set(seen[number]) for number in sorted(seen)] == whole


@given(st.integers(0, 60), st.integers(1, 9), st.booleans())
def test_equal_batches_are_cut_at_multiples_of_their_size(count, size, training):
    order = Order(np.arange(count), size, seed=0 if training else None)
    cuts = order.cuts(3)
    assert cuts.dtype == np.int64
    assert len(cuts) == order.num_batches + 1
    assert cuts[:-1].tolist() == [number * size for number in range(len(cuts) - 1)] or not count
    assert (cuts[0], cuts[-1]) == (0, count)


def test_a_batch_is_cut_out_of_the_epochs_order_at_any_start():
    order = Order(np.arange(50), 8, seed=1)
    whole = list(order.batches(4, 0))
    assert np.array_equal(np.concatenate(whole), order.epoch(4))
    for start in range(order.num_batches + 1):
        assert [batch.tolist() for batch in order.batches(4, start)] == [batch.tolist() for batch in whole[start:]]


def test_mirroring_and_augmentation_are_functions_of_seed_and_epoch():
    order, other = Order(np.arange(40), 8, seed=1), Order(np.arange(40), 4, seed=1, shard=Shard(1, 2))
    assert order.random_of(2).random() == other.random_of(2).random() != order.random_of(3).random()
    first, second = (order.is_mirrored(epoch, order.indices) for epoch in (0, 1))
    assert np.array_equal(first, ~second)
    assert np.array_equal(first, other.is_mirrored(0, other.indices))


def sized(*, batch_size=300, seed=5, shard=WHOLE, indices=None, sizes=SIZES):
    return SizedOrder(np.arange(len(sizes)) if indices is None else indices, sizes, batch_size, seed=seed, shard=shard)


@pytest.mark.parametrize("seed", [5, None])
def test_batches_by_size_hold_every_item_once_and_keep_their_number(seed):
    order = sized(seed=seed, indices=np.arange(10, 390))
    assert order.num_batches == round(SIZES[10:390].sum() / 300)
    for epoch in range(5):
        batches = list(order.batches(epoch, 0))
        assert len(batches) == order.num_batches
        assert sorted(np.concatenate(batches).tolist()) == list(range(10, 390))


def test_batches_by_size_are_about_equal_where_batches_by_count_are_not():
    def spread(order):
        sums = [SIZES[batch].sum() for batch in order.batches(1, 0)]
        return max(sums) - min(sums)

    order = sized()
    mean = SIZES.sum() / order.num_batches
    assert all(abs(SIZES[batch].sum() - mean) < SIZES.max() for batch in order.batches(1, 0))
    assert spread(order) < spread(Order(np.arange(400), 400 // order.num_batches, seed=5))
    assert {len(batch) for batch in order.batches(1, 0)} != {len(order.indices) // order.num_batches}


def test_shards_of_batches_by_size_partition_them():
    whole = [set(batch.tolist()) for batch in sized(batch_size=600).batches(2, 0)]
    shards = [list(sized(shard=Shard(rank, 2)).batches(2, 0)) for rank in (0, 1)]
    assert [len(shard) for shard in shards] == [len(whole)] * 2
    for batch, one, other in zip(whole, *shards, strict=True):
        assert set(one.tolist()) | set(other.tolist()) == batch
        assert len(one) + len(other) == len(batch)
        assert abs(len(one) - len(other)) <= 1


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 40])
@pytest.mark.parametrize("size", [1, 3])
def test_every_process_has_two_items_of_each_batch_by_size_where_there_are_enough(count, size):
    sizes = np.where(np.arange(count) % 7 == 0, 1000, 1)  # one item is most of a batch
    shards = [sized(batch_size=10, sizes=sizes, shard=Shard(rank, size)) for rank in range(size)]
    batches = [list(shard.batches(0, 0)) for shard in shards]
    assert sorted(row for shard in batches for batch in shard for row in batch) == list(range(count))
    assert count < 2 * size or all(len(batch) >= 2 for shard in batches for batch in shard)
    assert shards[0].num_batches == len(batches[0])


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.data())
def test_no_batch_by_size_is_smaller_than_the_least(sizes, data):
    least = data.draw(st.integers(1, 3).filter(lambda least: least <= len(sizes)))
    count = data.draw(st.integers(1, len(sizes) // least))
    cuts = cuts_by_size(np.array(sizes), count, least=least)
    assert (cuts[0], cuts[-1], len(cuts)) == (0, len(sizes), count + 1)
    assert np.diff(cuts).min() >= least


def test_a_cut_is_where_the_running_size_passes_its_share():
    assert cuts_by_size(np.array([5, 1, 1, 1, 1, 1, 5, 5]), 4).tolist() == [0, 1, 6, 7, 8]
    assert cuts_by_size(np.array([2, 2, 2, 2]), 2).tolist() == [0, 2, 4]
    assert cuts_by_size(np.array([1, 1, 8]), 2).tolist() == [0, 2, 3], "a batch is never empty"
    assert cuts_by_size(np.zeros(0, np.int64), 0, least=0).tolist() == [0]


CLASSES = np.repeat([4, 7, 9], [70, 25, 5])
"""A frequent, a rare and a very rare class."""


def balanced(seed=3, shard=WHOLE, batch_size=16):
    return Order(np.arange(100, 200), batch_size, seed=seed, shard=shard, classes=np.r_[np.zeros(100, int), CLASSES])


@given(st.lists(st.integers(0, 3), min_size=0, max_size=60), st.integers(0, 5))
def test_a_balanced_draw_has_all_classes_and_within_them_all_items_equally_often(classes, seed):
    classes = np.array(classes, dtype=np.int64)
    drawn = balanced_draw(np.arange(len(classes)), classes, np.random.default_rng(seed))
    assert len(drawn) == len(classes)
    per_class = [int((classes[drawn] == name).sum()) for name in np.unique(classes)]
    assert not per_class or max(per_class) - min(per_class) <= 1
    per_item = np.bincount(drawn, minlength=len(classes))
    for name in np.unique(classes):
        assert np.ptp(per_item[classes == name]) <= 1


def test_balanced_epochs_are_as_long_as_others_and_show_all_of_a_frequent_class_in_time():
    order, plain = balanced(), Order(np.arange(100, 200), 16, seed=3)
    assert (order.num_batches, order.num_items) == (plain.num_batches, plain.num_items)
    epochs = [order.epoch(number) for number in range(12)]
    assert {len(epoch) for epoch in epochs} == {100} and epochs[0].tolist() != epochs[1].tolist()
    assert set(np.concatenate(epochs)) == set(range(100, 200))
    assert epochs[5].tolist() == balanced().epoch(5).tolist(), "a resumed training sees the same"
    means = np.mean([np.bincount(np.r_[np.zeros(100, int), CLASSES][epoch], minlength=10) for epoch in epochs], axis=0)
    assert np.allclose(means[[4, 7, 9]], 100 / 3, atol=0.5)


def test_the_shards_of_a_balanced_epoch_make_up_its_batches():
    shards = [list(balanced(shard=Shard(rank, 2), batch_size=8).batches(2, 0)) for rank in range(2)]
    for number, whole in enumerate(balanced(batch_size=16).batches(2, 0)):
        parts = [shard[number] for shard in shards]
        assert sorted(np.concatenate(parts).tolist()) == sorted(whole.tolist())


def test_evaluation_is_never_balanced():
    assert balanced(seed=None).epoch(0).tolist() == list(range(100, 200))


def test_occurrences_count_what_came_before():
    assert occurrences(np.array([5, 3, 5, 5, 3, 9])).tolist() == [0, 0, 1, 2, 1, 0]
    assert occurrences(np.array([], dtype=np.int64)).tolist() == []
