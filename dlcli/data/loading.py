"""Loaders: the batches of an order, from arrays in memory or item by item in worker processes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from torch.utils.data import Dataset

from dlcli.core.console import Console
from dlcli.core.errors import DataError
from dlcli.data.order import Order, occurrences
from dlcli.data.workers import WorkersError, worker_batches

Batch = dict[str, Any]
"""Tensors by name, lists of tensors if items differ in shape, NamedTuples, or mappings of these."""

Fetch = Callable[[np.ndarray, Mapping[str, Any]], Batch]
"""(indices, drawn) -> the batch of these items; `drawn` is the result of the loader's `draw` for these items."""

Draw = Callable[[int, np.ndarray], Mapping[str, Any]]
"""(epoch, all indices of the epoch in its order) -> arrays or tensors by name, one row per index."""


class ArrayLoader:
    """Batches from arrays in memory, or memory-mapped: one call per batch, no workers.

    Args:
        order: which items are in which batches.
        fetch: makes a batch from indices.
        draw: makes what accompanies the items, such as their augmentation plan or their partners in another split; it
            is called once per epoch, which costs less than once per batch and is the same in every shard.
    """

    def __init__(self, order: Order, fetch: Fetch, draw: Draw | None = None) -> None:
        self._order = order
        self._fetch = fetch
        self._draw = draw

    @property
    def num_items(self) -> int:
        """The number of items an epoch shows."""
        return self._order.num_items

    @property
    def epoch_size(self) -> int:
        """The size of an epoch in the unit of the batch size: items or tokens."""
        return self._order.epoch_size

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self._order.num_batches

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from the batch numbered `start` on."""
        indices = self._order.epoch(epoch)
        drawn = self._draw(epoch, indices) if self._draw is not None else {}
        for part in self._order.parts(epoch, start):
            yield self._fetch(indices[part], {name: values[part] for name, values in drawn.items()})


class Read(Protocol):
    """How an `ItemLoader` reads one item; called in worker processes, so it must be picklable."""

    def __call__(self, index: int, *, seed: int, epoch: int) -> Any:
        """Return the item at an index.

        Args:
            index: which item.
            seed: seed of this item in this epoch, of which random augmentation is a function.
            epoch: number of the epoch, for what alternates between epochs.

        Raises:
            DataError: the item cannot be read.
        """
        ...


MAX_SUBSTITUTES = 10
"""Maximum items tried in place of an unreadable one; if this many in a row are bad, it is no accident."""

_Key = tuple[int, int, int]
"""Index, seed and epoch of an item."""


class _Items(Dataset):  # type: ignore[type-arg]
    """Items as lists of zero or one, each with the reasons why items could not be read.

    In training an unreadable item is replaced by one of the `substitutes`, so that the number and size of batches do
    not change; in evaluation there are no substitutes, and it is dropped.
    """

    def __init__(self, read: Read, substitutes: np.ndarray | None) -> None:
        self._read = read
        self._substitutes = substitutes

    def __getitem__(self, key: _Key) -> tuple[list[Any], list[str]]:
        index, seed, epoch = key
        candidates = [index]
        if self._substitutes is not None:
            count = len(self._substitutes)
            candidates += [int(self._substitutes[(seed + k) % count]) for k in range(MAX_SUBSTITUTES)]
        reasons: list[str] = []
        for candidate in candidates:
            try:
                return [self._read(candidate, seed=seed, epoch=epoch)], reasons
            except DataError as error:
                reasons.append(str(error))
        return [], reasons


class ItemLoader:
    """Batches of items that are read one by one, in worker processes.

    Args:
        order: which items are in which batches.
        read: reads one item of any kind, with its targets.
        collate: makes a batch from a non-empty list of items.
        workers: number of processes that read; 0 reads in the current one.
        max_bad: training ends if more items than this are unreadable.
        on_bad: called once per unreadable item with the reason.
        noun: plural noun for the items, for the message about too many unreadable ones.
        hint: how to repair them.
        start_worker: called with its number in each process that reads.
    """

    def __init__(
        self,
        order: Order,
        read: Read,
        collate: Callable[[list[Any]], Batch],
        *,
        workers: int,
        max_bad: int,
        on_bad: Callable[[str], None],
        noun: str = "items",
        hint: str = "repair or remove them",
        start_worker: Callable[[int], None] | None = None,
    ) -> None:
        self._order = order
        self._items = _Items(read, order.indices if order.seed is not None else None)
        self._collate = functools.partial(_collate, collate)
        self._workers = workers
        self._max_bad = max_bad
        self._on_bad = on_bad
        self._noun = noun
        self._hint = hint
        self._start_worker = start_worker
        self._bad: set[str] = set()
        self._num_dropped = 0

    @property
    def num_items(self) -> int:
        """The number of items an epoch shows, less those that the latest one has dropped as unreadable."""
        return self._order.num_items - self._num_dropped

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self._order.num_batches

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `start` on; unreadable items are replaced in training, or dropped.

        Raises:
            DataError: more than `max_bad` items are unreadable.
        """
        indices = self._order.epoch(epoch)
        # An item that is drawn several times in an epoch is augmented in as many ways.
        turns = occurrences(indices) if self._order.classes is not None else np.zeros(len(indices), np.int64)
        keys = [
            [
                (index, self._seed_of(epoch, index, turn), epoch)
                for index, turn in zip(indices[part].tolist(), turns[part].tolist(), strict=True)
            ]
            for part in self._order.parts(epoch, start)
        ]
        self._num_dropped = 0
        for batch, reasons in self._read_batches(keys):
            self._note(reasons)
            if self._order.seed is None:
                self._num_dropped += len(reasons)
            if batch is not None:
                yield batch

    def _read_batches(self, keys: Sequence[list[_Key]]) -> Iterator[tuple[Batch | None, list[str]]]:
        """Yield the batches as workers read them, or as this process does where workers cannot pass them on."""
        done = 0
        if self._workers and keys:
            try:
                for result in worker_batches(self._items, keys, self._collate, self._workers, self._start_worker):
                    yield result
                    done += 1
            except WorkersError as error:
                self._workers = 0
                _warn_once(f"the {self._noun} are read without worker processes: {error}")
        for batch in keys[done:]:
            yield self._collate([self._items[key] for key in batch])

    def _seed_of(self, epoch: int, index: int, turn: int) -> int:
        more = (turn,) if turn else ()
        return hash((self._order.seed or 0, epoch, index, *more)) % 2**31  # of integers: the same in every process

    def _note(self, reasons: Sequence[str]) -> None:
        for reason in reasons:
            if reason not in self._bad:
                self._bad.add(reason)
                self._on_bad(reason)
        if len(self._bad) > self._max_bad:
            raise DataError(
                f"{len(self._bad)} {self._noun} cannot be read, more than --max-bad {self._max_bad}",
                details=sorted(self._bad)[:2],
                hint=self._hint,
            )


@functools.cache  # there are several loaders, all on the same machine
def _warn_once(line: str) -> None:
    Console().warn(line)


def _collate(
    collate: Callable[[list[Any]], Batch], results: Sequence[tuple[list[Any], list[str]]]
) -> tuple[Batch | None, list[str]]:
    items = [item for found, _ in results for item in found]
    reasons = [reason for _, reasons in results for reason in reasons]
    return collate(items) if items else None, reasons
