"""The order of items: which are in which batch of an epoch, as a function of (seed, epoch); torch-free."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shard:
    """The share of each batch that one of several processes takes: every `size`-th item, from `rank` on."""

    rank: int = 0
    size: int = 1


WHOLE = Shard()


class Order:
    """The batches of each epoch, as indices; every item is in one batch of an epoch, and in one shard of the batch.

    Several processes make one large batch of `batch_size` items each. In training, a rest of fewer than two items a
    process joins the batch before it, because batch normalisation has no variance over a single item.
    """

    def __init__(self, indices: np.ndarray, batch_size: int, *, seed: int | None, shard: Shard = WHOLE) -> None:
        self.indices = indices
        self.batch_size = batch_size * shard.size
        self.seed = seed
        self.shard = shard
        self.num_items = len(indices)
        full, rest = divmod(len(indices), self.batch_size)
        is_batch = rest >= 2 * shard.size if seed is not None and full else rest > 0
        self.num_batches = full + is_batch

    def epoch(self, epoch: int) -> np.ndarray:
        """Return the indices in the epoch's order: shuffled where there is a seed."""
        if self.seed is None:
            return self.indices
        return np.random.default_rng([self.seed, epoch]).permutation(self.indices)

    def random_of(self, epoch: int) -> np.random.Generator:
        """Return the generator that augments this epoch's items, in their order: the same in every shard."""
        return np.random.default_rng([self.seed or 0, epoch, 0xA06])

    def is_mirrored(self, epoch: int, indices: np.ndarray) -> np.ndarray:
        """Return which items an alternating flip mirrors: at random in the first epoch, from then on in turn.

        A pair of epochs so shows every image both ways, which random flips do to half of them (arXiv:2404.00498, 3.6).
        """
        return np.asarray(self._mirrored_first[indices] ^ bool(epoch % 2))

    @functools.cached_property
    def _mirrored_first(self) -> np.ndarray:
        count = int(self.indices.max(initial=-1)) + 1
        return np.random.default_rng([self.seed or 0, 0xF11B]).random(count) < 0.5

    def parts(self, start: int) -> Iterator[slice]:
        """Yield where this shard's share of each batch from `start` on lies in an epoch's order."""
        for number in range(start, self.num_batches):
            first = number * self.batch_size + self.shard.rank
            end = (number + 1) * self.batch_size if number + 1 < self.num_batches else self.num_items
            if first < end:  # the last batch of an evaluation may be too small for every process
                yield slice(first, end, self.shard.size)

    def batches(self, epoch: int, start: int) -> Iterator[np.ndarray]:
        """Yield this shard's indices of each batch from the batch numbered `start` on."""
        order = self.epoch(epoch)
        return (order[part] for part in self.parts(start))
