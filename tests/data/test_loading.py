"""Loaders: a batch is what `fetch` or `read` make of an order's indices; what cannot be read ends no training."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import pytest
import torch

from dlcli.core.errors import DataError
from dlcli.data.loading import ArrayLoader, ItemLoader
from dlcli.data.order import Order, Shard, SizedOrder

VALUES = torch.arange(50) ** 2


def fetch(indices, drawn):
    return {"values": VALUES[indices], "rows": torch.from_numpy(indices), **drawn}


@pytest.mark.parametrize("shard", [Shard(), Shard(1, 2)])
def test_array_batches_are_those_of_the_order(shard):
    order = Order(np.arange(50), 8, seed=2, shard=shard)
    loader = ArrayLoader(order, fetch)
    assert (len(loader), loader.num_items) == (order.num_batches, 50)
    for batch, indices in zip(loader.batches(3), order.batches(3, 0), strict=True):
        assert batch["rows"].tolist() == indices.tolist()
        assert torch.equal(batch["values"], VALUES[indices])


def test_only_the_batches_from_the_start_on_are_fetched():
    fetched = []

    def note(indices, drawn):
        fetched.append(indices.tolist())
        return {}

    order = SizedOrder(np.arange(50), np.arange(50), 100, seed=0)
    list(ArrayLoader(order, note).batches(1, start=5))
    assert fetched == [indices.tolist() for indices in order.batches(1, 0)][5:]


def test_what_is_drawn_is_drawn_once_an_epoch_and_stays_beside_its_items():
    epochs = []

    def draw(epoch, indices):
        epochs.append(epoch)
        return {"partner": torch.from_numpy(indices) + 100 * epoch}

    for order in (Order(np.arange(50), 8, seed=2), Order(np.arange(50), 4, seed=2, shard=Shard(1, 2))):
        loader = ArrayLoader(order, fetch, draw)
        for epoch in (0, 3):
            for batch in loader.batches(epoch, start=2):
                assert torch.equal(batch["partner"], batch["rows"] + 100 * epoch)
    assert epochs == [0, 3, 0, 3]


class Boxes(NamedTuple):
    """An item of the kind that has a part of another length than its neighbours."""

    row: int
    seed: int
    boxes: torch.Tensor


def read_boxes(index, *, seed, epoch, bad=frozenset(), places=None):
    if places is not None:
        places.append(index)
    if index in bad:
        raise DataError(f"{index}.json: damaged")
    return Boxes(index, seed, torch.full((index % 4, 4), epoch))


def collate(items):
    rows, seeds = (torch.tensor([item[place] for item in items]) for place in (0, 1))
    return {"rows": rows, "seeds": seeds, "boxes": [item.boxes for item in items]}


def make_loader(*, seed=3, workers=0, max_bad=0, on_bad=lambda reason: None, order=None, **read):
    order = order if order is not None else Order(np.arange(23), 8, seed=seed)
    return ItemLoader(
        order,
        functools.partial(read_boxes, **read),
        collate,
        workers=workers,
        max_bad=max_bad,
        on_bad=on_bad,
        noun="annotations",
        hint="draw them again",
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_items_may_be_of_any_kind_and_batches_ragged(workers):
    order = Order(np.arange(23), 8, seed=3)
    loader = make_loader(order=order, workers=workers)
    assert (len(loader), loader.num_items) == (order.num_batches, 23)
    for batch, indices in zip(loader.batches(2), order.batches(2, 0), strict=True):
        assert batch["rows"].tolist() == indices.tolist()
        for boxes, row in zip(batch["boxes"], indices, strict=True):
            assert torch.equal(boxes, torch.full((row % 4, 4), 2))


def test_an_items_seed_depends_on_epoch_and_item_alone():
    def seeds(epoch, **options):
        batches = list(make_loader(**options).batches(epoch))
        return {int(row): int(seed) for b in batches for row, seed in zip(b["rows"], b["seeds"], strict=True)}

    assert len(set(seeds(0).values())) == 23
    assert seeds(1).items() == seeds(1, order=Order(np.arange(23), 5, seed=3)).items() == seeds(1, workers=2).items()
    assert not set(seeds(0).values()) & set(seeds(1).values())
    assert not set(seeds(0).values()) & set(seeds(0, seed=4).values())


def test_only_the_items_from_the_start_on_are_read():
    places = []
    late = list(make_loader(places=places).batches(0, start=2))
    assert [batch["rows"].tolist() for batch in late] == [places]
    assert len(places) == 7


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_item_is_left_out_and_reported_once(workers):
    told = []
    loader = make_loader(seed=None, workers=workers, max_bad=1, on_bad=told.append, bad={4})
    for epoch in (0, 1):
        rows = [row for batch in loader.batches(epoch) for row in batch["rows"].tolist()]
        assert rows == [row for row in range(23) if row != 4]
    assert told == ["4.json: damaged"]


@pytest.mark.parametrize("workers", [0, 2])
def test_in_training_another_item_of_the_order_takes_an_unreadable_ones_place(workers):
    loader = make_loader(order=Order(np.arange(16), 8, seed=3), workers=workers, max_bad=6, bad=set(range(6)))
    batches = [batch["rows"].tolist() for batch in loader.batches()]
    assert [len(rows) for rows in batches] == [8, 8], "batches keep their number and size"
    assert {row for rows in batches for row in rows} == set(range(6, 16)), "nothing comes from outside the order"


def test_more_unreadable_items_than_allowed_end_the_loading_in_the_words_of_their_kind():
    list(make_loader(max_bad=2, bad={2, 9}).batches())
    with pytest.raises(DataError, match="2 annotations cannot be read, more than --max-bad 1") as caught:
        list(make_loader(max_bad=1, bad={2, 9}).batches())
    assert caught.value.hint == "draw them again"
    assert any("2.json" in line for line in caught.value.lines())


@pytest.mark.parametrize("seed", [3, None])
def test_a_batch_of_nothing_but_unreadable_items_is_skipped(seed):
    order = Order(np.arange(16), 8, seed=seed)
    assert not list(make_loader(order=order, max_bad=16, bad=set(range(16))).batches())
    assert len(list(make_loader(order=Order(np.arange(16), 8, seed=None), max_bad=8, bad=set(range(8))).batches())) == 1


@pytest.mark.parametrize(("seed", "count"), [(None, 20), (3, 23)])
def test_what_an_evaluation_has_left_out_is_not_counted(seed, count):
    loader = make_loader(seed=seed, bad={2, 7, 22}, max_bad=3)
    before = loader.num_items
    for _ in range(2):
        assert sum(1 for _ in loader.batches()) == len(loader)
    assert (before, loader.num_items) == (23, count)


def test_an_item_that_is_drawn_twice_in_an_epoch_is_augmented_in_two_ways():
    seeds = []

    def read(index, *, seed, epoch):
        seeds.append((index, seed))
        return index

    order = Order(np.arange(10), 4, seed=0, classes=np.array([0] * 8 + [1] * 2))
    loader = ItemLoader(order, read, lambda items: {"rows": items}, workers=0, max_bad=0, on_bad=print)
    batches = list(loader.batches(1))
    assert [index for batch in batches for index in batch["rows"]] == order.epoch(1).tolist()
    assert len(set(seeds)) == len(seeds) == 10 > len({index for index, _ in seeds})
    everything = list(seeds)
    seeds.clear()
    list(loader.batches(1, start=1))
    assert seeds == everything[4:], "a resumed epoch augments alike"
