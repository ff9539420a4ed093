"""The order of sentence pairs in batches of about equal numbers of tokens, padding included; imports no torch."""

from __future__ import annotations

import numpy as np

from dlcli.data.order import WHOLE, Order, Shard, cuts_by_size

POOL = 64
"""Number of batches whose pairs are sorted together, at most half of all: enough that neighbours have like lengths."""

JITTER = 0.2
"""Lengths of sources are randomly increased by up to this fraction for sorting, so that batches vary by epoch."""

_ROUNDS = 4


class TokenOrder(Order):
    """An order whose batches have about equal padded sizes; seeded in training, fully sorted in evaluation.

    A batch of n pairs has a padded size of n times its longest source plus its longest target. Random pools of `POOL`
    batches are sorted by the target's length, and pairs of one length by the source's, upwards and downwards in turn,
    so that neighbours are alike on both sides: batches of 27,000 Tatoeba pairs are 8 to 11 % larger than their tokens,
    where sorting by the longer side makes them 33 % larger. They are cut where the padded size is equal; then the
    batches are shuffled. There is the same number in every epoch, so a schedule over steps stays exact.

    Args:
        indices: the pairs of the split.
        sources: (M,) number of tokens of every source that an index can refer to.
        targets: (M,) number of tokens of every target, start and end included.
        num_tokens: mean number of tokens of both sides in a process's share of a batch, padding not counted.
        seed, shard: as in `Order`.
    """

    def __init__(
        self,
        indices: np.ndarray,
        sources: np.ndarray,
        targets: np.ndarray,
        num_tokens: int,
        *,
        seed: int | None,
        shard: Shard = WHOLE,
    ) -> None:
        super().__init__(indices, num_tokens, seed=seed, shard=shard)
        self._sources, self._targets = np.asarray(sources, np.int64), np.asarray(targets, np.int64)
        self._both = self._sources + self._targets
        self.epoch_size = int(self._both[indices].sum())
        least = 2 * shard.size if seed is not None else 1
        most = max(len(indices) // least, min(len(indices), 1))
        self.num_batches = min(max(round(self.epoch_size / self.batch_size), 1), most)
        self._least = least if self.num_batches > 1 else 0
        self._planned: tuple[int, np.ndarray, np.ndarray] | None = None

    def epoch(self, epoch: int) -> np.ndarray:
        """Return the indices in the epoch's order."""
        return self._plan(epoch)[0]

    def cuts(self, epoch: int) -> np.ndarray:
        """Return the bounds of the batches in the epoch's order, (num_batches + 1,) int64 from 0 to N."""
        return self._plan(epoch)[1]

    def _plan(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the order and the bounds of an epoch; a loader wants both, so the last plan is remembered."""
        if self._planned is None or self._planned[0] != epoch:
            self._planned = (epoch, *self._make_plan(epoch))
        return self._planned[1:]

    def _make_plan(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        if self.seed is None:
            order = self._sorted(self.indices, self._sources[self.indices])
            return order, self._bounds(order)
        order = super().epoch(epoch)
        random = np.random.default_rng([self.seed, epoch, 0xBA7C])
        pool = max(min(len(order) * POOL // max(self.num_batches, 1), -(-len(order) // 2)), 1)
        for number, start in enumerate(range(0, len(order), pool)):
            drawn = order[start : start + pool]
            stretched = self._sources[drawn] * (1 + JITTER * random.random(len(drawn)))
            upwards = self._sorted(drawn, stretched)
            order[start : start + pool] = upwards[::-1] if number % 2 else upwards  # pools meet at like lengths
        bounds = self._bounds(order)
        turns = random.permutation(self.num_batches)
        batches = [order[bounds[turn] : bounds[turn + 1]] for turn in turns.tolist()]
        return np.concatenate([order[:0], *batches]), np.cumsum([0, *map(len, batches)], dtype=np.int64)

    def _sorted(self, drawn: np.ndarray, sources: np.ndarray) -> np.ndarray:
        """Return pairs by the target's length, then by these lengths of their sources, upwards where it is odd."""
        targets = self._targets[drawn]
        return np.asarray(drawn[np.lexsort((np.where(targets % 2, sources, -sources), targets))])

    def _bounds(self, order: np.ndarray) -> np.ndarray:
        """Return the bounds of batches of about equal padded sizes.

        A pair's share of that size depends on the batch that it is in. So batches are cut by plain sizes first, then
        by what each pair cost in the cut before; the best cut is the one whose largest batch is smallest.
        """
        costs = self._both[order]
        found = []
        for _ in range(_ROUNDS):
            bounds = cuts_by_size(costs, self.num_batches, least=self._least)
            widths = padded_widths(self._sources[order], self._targets[order], bounds)
            found.append((int((widths * np.diff(bounds)).max(initial=0)), bounds))
            costs = np.repeat(widths, np.diff(bounds))
        return min(found, key=lambda each: each[0])[1]


def padded_widths(sources: np.ndarray, targets: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return the longest source plus the longest target of each batch, (B,) int64; no batch is empty."""
    starts = bounds[:-1]
    if not len(starts):
        return np.zeros(0, np.int64)
    return np.maximum.reduceat(sources, starts) + np.maximum.reduceat(targets, starts)
