"""Choose the number of CPU threads by a short timing: threads wait for each other, and on a shared machine for others.

With one other busy process on two cores, two threads of a small network were 8 times as slow as one (OpenMP waits by
spinning, for a thread that is not running); on a quiet machine they are 1.5 times as fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dlcli.engine.compute.device import Device, all_threads
from dlcli.engine.compute.trial import head_of, leaving_no_trace, time_step
from dlcli.engine.task import Batch, Task

ROUNDS = 4
"""Timed steps per number of threads, alternating; their sum counts, since slow ones are what other processes cost."""

STEP_S = 0.1
"""A timed step takes about this long: as many items of the batch as that are timed, and at least `MIN_ITEMS`."""

MIN_ITEMS = 16

MIN_GAIN = 1.1
"""Fewer threads must be at least this much faster than all."""


@contextmanager
def using_threads(count: int) -> Iterator[None]:
    """Compute with so many CPU threads within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_threads(task: Task, device: Device, batch: Batch) -> tuple[int, str]:
    """Set the number of threads at which this process trains fastest now, and return it with the reason.

    All threads, half of them and one are compared. The task is left unchanged.

    Args:
        task: the task whose training step is timed.
        device: the CPU; the number format is chosen afterwards, with this number of threads.
        batch: a training batch; as many of its items as a short step has are used.
    """
    most = all_threads()
    counts = sorted({most, max(1, most // 2), 1}, reverse=True)
    if len(counts) == 1:
        return most, "there is one core to use"
    seconds = dict.fromkeys(counts, 0.0)
    with leaving_no_trace(task):
        few = head_of(batch, MIN_ITEMS)
        time_step(task, device, few)  # builds kernels
        size = round(MIN_ITEMS * STEP_S / max(time_step(task, device, few), 1e-6))
        items = head_of(batch, max(MIN_ITEMS, size))
        for number in range(ROUNDS + 1):
            for count in counts:
                torch.set_num_threads(count)
                taken = time_step(task, device, items)
                seconds[count] += taken if number else 0.0  # the first of each starts its threads
    best = min(counts, key=lambda count: seconds[count] * (1.0 if count == most else MIN_GAIN))
    torch.set_num_threads(best)
    if best == most:
        return best, f"{seconds[1] / seconds[most]:.2f}x as fast as one"
    return best, f"{seconds[most] / seconds[best]:.2f}x as fast as {most} on this machine now"
