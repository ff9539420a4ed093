"""The order of items: which are in which batch of an epoch, as a function of (seed, epoch); imports no torch."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shard:
    """The share of one of several processes in each batch: every `size`-th item, from `rank` on."""

    rank: int = 0
    size: int = 1


WHOLE = Shard()


def balanced_draw(indices: np.ndarray, classes: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return N indices in which all classes are equally frequent, to within one item, (N,).

    Within a class, too, the counts of two items differ by at most one: a rare class is repeated, and of a frequent one
    a random part is left out.

    Args:
        indices: (N,) indices.
        classes: (N,) their classes, any integers.
        random: draws the items.
    """
    present, own = np.unique(classes, return_inverse=True)
    if not len(present):
        return indices
    counts = np.full(len(present), len(indices) // len(present))
    counts[random.permutation(len(present))[: len(indices) % len(present)]] += 1
    drawn = []
    for number, count in enumerate(counts.tolist()):
        items = indices[own == number]
        times, rest = divmod(count, len(items))
        drawn += [np.tile(items, times), random.permutation(items)[:rest]]
    return np.concatenate(drawn)


def occurrences(indices: np.ndarray) -> np.ndarray:
    """Return how many times each index has occurred before its place, (N,) int64: 0 where all are different."""
    order = np.argsort(indices, kind="stable")
    sorted_indices = indices[order]
    is_first = np.r_[True, sorted_indices[1:] != sorted_indices[:-1]][: len(indices)]
    starts = np.maximum.accumulate(np.where(is_first, np.arange(len(indices)), 0))
    result = np.empty(len(indices), dtype=np.int64)
    result[order] = np.arange(len(indices)) - starts
    return result


class Order:
    """The batches of each epoch, as indices; every item is in one batch of an epoch, and in one shard of the batch.

    An epoch is an order of the items (`epoch`) and its division into batches (`cuts`); a subclass may override either,
    as long as the number of batches is the same in every epoch.

    Several processes share one large batch, with `batch_size` items each. In training, a remainder of fewer than two
    items per process joins the previous batch, because batch normalisation has no variance over a single item.

    Args:
        indices: (N,) indices of the items.
        batch_size: items per process.
        seed: shuffles each epoch; None never shuffles, for evaluation.
        shard: the share of this process.
        classes: (M,) class of every item that an index can refer to: each epoch draws as many items of each class, see
            `balanced_draw`, and is as long as without; None for every item once.

    Attributes:
        num_items: items of an epoch.
        epoch_size: their sizes together, in the unit of `batch_size`: their number, unless that counts tokens.
        num_batches: batches of an epoch.
    """

    def __init__(
        self,
        indices: np.ndarray,
        batch_size: int,
        *,
        seed: int | None,
        shard: Shard = WHOLE,
        classes: np.ndarray | None = None,
    ) -> None:
        self.indices = indices
        self.classes = classes
        self.batch_size = batch_size * shard.size
        self.seed = seed
        self.shard = shard
        self.num_items = self.epoch_size = len(indices)
        full, rest = divmod(len(indices), self.batch_size)
        is_batch = rest >= 2 * shard.size if seed is not None and full else rest > 0
        self.num_batches = full + is_batch

    def epoch(self, epoch: int) -> np.ndarray:
        """Return the indices in the epoch's order, shuffled if there is a seed, (N,)."""
        if self.seed is None:
            return self.indices
        random = np.random.default_rng([self.seed, epoch])
        if self.classes is None:
            return random.permutation(self.indices)
        return random.permutation(balanced_draw(self.indices, self.classes[self.indices], random))

    def random_of(self, epoch: int) -> np.random.Generator:
        """Return the random generator for augmenting this epoch's items in order, the same in every shard."""
        return np.random.default_rng([self.seed or 0, epoch, 0xA06])

    def is_mirrored(self, epoch: int, indices: np.ndarray) -> np.ndarray:
        """Return which items an alternating flip mirrors, (K,) bool: at random in the first epoch, then in turn.

        Two consecutive epochs thus show every image both ways, where random flips do so for half of them
        (arXiv:2404.00498, 3.6).
        """
        return np.asarray(self._mirrored_first[indices] ^ bool(epoch % 2))

    @functools.cached_property
    def _mirrored_first(self) -> np.ndarray:
        count = int(self.indices.max(initial=-1)) + 1
        return np.random.default_rng([self.seed or 0, 0xF11B]).random(count) < 0.5

    def cuts(self, epoch: int) -> np.ndarray:
        """Return the bounds of the batches in the epoch's order, (num_batches + 1,) int64 from 0 to N."""
        del epoch  # batches of equal size have the same bounds in every epoch
        bounds = np.arange(self.num_batches + 1, dtype=np.int64) * self.batch_size
        bounds[-1] = self.num_items
        return bounds

    def parts(self, epoch: int, start: int) -> Iterator[slice]:
        """Yield the slice of the epoch's order with this shard's share, for each batch from `start` on."""
        for first, end in itertools.pairwise(self.cuts(epoch)[start:].tolist()):
            if first + self.shard.rank < end:  # in evaluation a batch may be too small for all processes
                yield slice(first + self.shard.rank, end, self.shard.size)

    def batches(self, epoch: int, start: int) -> Iterator[np.ndarray]:
        """Yield this shard's indices of each batch from the batch numbered `start` on."""
        order = self.epoch(epoch)
        return (order[part] for part in self.parts(epoch, start))


class SizedOrder(Order):
    """An order whose batches are equal in size (tokens, pixels), not in number of items.

    The number of batches is the same in every epoch, so a schedule over steps stays exact; their bounds depend on the
    sizes in the epoch's order.

    Args:
        indices: the items of the split.
        sizes: (M,) non-negative integers, the size of every item that an index can refer to.
        batch_size: mean size of a process's share of a batch, in the unit of `sizes`.
        seed, shard: as in `Order`.
    """

    def __init__(
        self, indices: np.ndarray, sizes: np.ndarray, batch_size: int, *, seed: int | None, shard: Shard = WHOLE
    ) -> None:
        super().__init__(indices, batch_size, seed=seed, shard=shard)
        self._sizes = sizes
        self.epoch_size = int(sizes[indices].sum())
        least = 2 * shard.size if seed is not None else 1
        most = max(len(indices) // least, min(len(indices), 1))
        self.num_batches = min(max(round(self.epoch_size / self.batch_size), 1), most)
        self._least = least if self.num_batches > 1 else 0

    def cuts(self, epoch: int) -> np.ndarray:
        """Return the bounds of the batches in the epoch's order, (num_batches + 1,) int64 from 0 to N."""
        return cuts_by_size(self._sizes[self.epoch(epoch)], self.num_batches, least=self._least)


def cuts_by_size(sizes: np.ndarray, num_batches: int, *, least: int = 1) -> np.ndarray:
    """Return the bounds of batches of about equal size, (num_batches + 1,) int64 from 0 to N.

    Bound i is where the running size reaches i / num_batches of the total, so a batch differs from the mean by less
    than the largest item, unless it would have fewer than `least` items.

    Args:
        sizes: (N,) non-negative integers, in the order of the epoch; N >= num_batches * least.
        num_batches: 0 only if there are no items.
        least: minimum number of items per batch.
    """
    assert len(sizes) >= num_batches * least
    running = np.cumsum(np.concatenate([[0], sizes]), dtype=np.int64)
    numbers = np.arange(num_batches + 1, dtype=np.int64)
    reached = np.searchsorted(running * max(num_batches, 1), numbers * running[-1])  # in integers, hence exact
    reached[-1] = len(sizes)  # include items of size 0 at the end
    spare = np.clip(reached - numbers * least, 0, len(sizes) - num_batches * least)
    return np.maximum.accumulate(spare) + numbers * least
