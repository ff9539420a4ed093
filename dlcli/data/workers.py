"""Worker processes that read batches: what signals, a lack of shared memory and the end of a worker do to them."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dlcli.core.errors import DeviceError, first_line
from dlcli.core.interruption import STOPS, signals_held

_SHARED_MEMORY = ("shared memory", "(shm)", "Bus error")
"""What torch's messages about a full /dev/shm contain."""


class WorkersError(Exception):
    """This machine cannot pass batches from workers to this process; the message says why."""


def worker_batches(
    items: Dataset[Any],
    keys: Sequence[list[Any]],
    collate: Callable[[list[Any]], Any],
    workers: int,
    start: Callable[[int], None] | None = None,
) -> Iterator[Any]:
    """Yield the batch of each list of keys, read by worker processes; `start` is called in each with its number.

    Raises:
        WorkersError: there are no semaphores or not enough shared memory for workers; the batches yielded are sound.
        DeviceError: a worker was killed.
    """
    loader = DataLoader(
        items,
        batch_sampler=keys,
        num_workers=workers,
        collate_fn=_Shared(collate),
        worker_init_fn=functools.partial(_start_worker, start),
        # An iterator draws a seed for its workers. From torch's own generator that would shift what the training draws,
        # so it would depend on the number of workers, and on where in an epoch it was resumed.
        generator=torch.Generator(),
    )
    others = multiprocessing.active_children()
    try:
        multiprocessing.Lock()  # torch's own attempt would leave a half-made loader, whose destructor fails
        with signals_held(STOPS):
            batches = iter(loader)
    except (OSError, ImportError) as error:  # no /dev/shm, or no more processes allowed
        raise WorkersError(first_line(error)) from None
    started = [process for process in multiprocessing.active_children() if process not in others]
    try:
        yield from batches
    except RuntimeError as error:
        if any(word in str(error) for word in _SHARED_MEMORY):
            raise WorkersError("the shared memory is full; `docker run --shm-size=2g` gives a container more") from None
        if "DataLoader worker (pid" in str(error):
            raise DeviceError(
                f"a process that reads the data has ended: {first_line(error)}",
                hint="the memory may be full: use fewer --workers, or 0 to read in the training process",
            ) from error
        raise
    finally:
        for process in started:  # those still at work, if fewer batches were wanted: else torch waits for them
            process.terminate()


class _Shared:
    """Collates in a worker, and moves the batch to shared memory there.

    torch would do that in a thread of the worker, where a failure is printed and the training waits for ever.
    """

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self._collate = collate

    def __call__(self, results: list[Any]) -> Any:
        batch = self._collate(results)
        _share(batch)
        return batch


def _share(value: Any) -> None:
    if isinstance(value, Tensor):
        value.share_memory_()  # type: ignore[no-untyped-call]
    elif isinstance(value, Mapping):
        for item in value.values():
            _share(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _share(item)


def _start_worker(start: Callable[[int], None] | None, number: int) -> None:
    """Let a worker ignore the signals that end a command, except from its parent.

    Ctrl-C and most schedulers signal all processes of a training. The training itself decides then: it finishes its
    step, for which it needs the workers, saves, and ends them.
    """
    if start is not None:
        start(number)
    if hasattr(signal, "sigwaitinfo"):
        threading.Thread(target=_end_for_parent, daemon=True).start()


def _end_for_parent() -> None:
    parent = os.getppid()
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != parent:
        pass
    os._exit(0)
