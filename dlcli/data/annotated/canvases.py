"""Which canvas a batch has: one for all its images in evaluation, perhaps its own in training. Torch-free."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np

from dlcli.data.annotated.fitting import STRIDE, Size
from dlcli.data.order import WHOLE, Order, Shard

MOST_CHANGE = 0.25
"""By how much the longer side of a training batch's canvas differs from the given one, at most."""


class CanvasOrder(Order):
    """An order for evaluation whose batches hold images of one canvas, sorted by canvas and then by index.

    Args:
        indices: (N,) indices of the items.
        canvases: the canvas of every item that an index can refer to.
        batch_size: items per process, at most.
        shard: as in `Order`.
    """

    def __init__(self, indices: np.ndarray, canvases: Sequence[Size], batch_size: int, *, shard: Shard = WHOLE) -> None:
        ordered = sorted((int(index) for index in indices), key=lambda index: (canvases[index], index))
        super().__init__(np.array(ordered, dtype=np.int64), batch_size, seed=None, shard=shard)
        bounds = [0]
        for _, group in itertools.groupby(canvases[index] for index in ordered):
            first, size = bounds[-1], len(list(group))
            bounds += [*range(first + self.batch_size, first + size, self.batch_size), first + size]
        self._bounds = np.array(bounds, dtype=np.int64)
        self.num_batches = len(bounds) - 1

    def cuts(self, epoch: int) -> np.ndarray:
        """Return the bounds of the batches in the epoch's order, (num_batches + 1,) int64 from 0 to N."""
        del epoch  # the same in every epoch
        return self._bounds


@functools.lru_cache(maxsize=2)  # of this epoch: computed once in each process
def batch_numbers(order: Order, epoch: int) -> np.ndarray:
    """Return in which batch of an epoch each item is, by its index; -1 for none."""
    rows, cuts = order.epoch(epoch), order.cuts(epoch)
    numbers = np.full(int(rows.max(initial=-1)) + 1, -1)
    numbers[rows] = np.repeat(np.arange(len(cuts) - 1), np.diff(cuts))
    return numbers


def batch_canvas(canvas: Size, seed: int, epoch: int, batch: int) -> Size:
    """Return the canvas of a training batch: sides are multiples of 32, the longer one within 25 % of the given one's.

    Args:
        canvas: the given one, whose ratio of sides is kept as closely as multiples of 32 allow.
        seed, epoch, batch: of which it is a function.
    """
    longer = max(canvas)
    low = int(np.ceil(longer * (1 - MOST_CHANGE) / STRIDE))
    high = int(np.floor(longer * (1 + MOST_CHANGE) / STRIDE))
    drawn = int(np.random.default_rng([seed, epoch, batch, 0x5CA1E]).integers(low, max(low, high) + 1)) * STRIDE
    height, width = (max(STRIDE, round(side * drawn / longer / STRIDE) * STRIDE) for side in canvas)
    return height, width
