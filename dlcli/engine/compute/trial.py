"""Training steps that are timed and leave no trace, for choices that depend on the machine."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from dlcli.engine.compute.device import Device
from dlcli.engine.optim.build import parameters_of
from dlcli.engine.task import Batch, KeepsState, Task


@contextmanager
def leaving_no_trace(task: Task) -> Iterator[None]:
    """Restore the model, its buffers and mode, the task's state and the random generators after the block."""
    before = copy.deepcopy(task.model.state_dict())
    kept = copy.deepcopy(task.state()) if isinstance(task, KeepsState) else None
    is_training = task.model.training
    try:
        with torch.random.fork_rng():
            yield
    finally:
        task.model.load_state_dict(before)
        task.model.train(is_training)
        if isinstance(task, KeepsState) and kept is not None:
            task.load_state(kept)


def head_of(value: Any, count: int) -> Any:
    """Return the first `count` items of each value in a batch."""
    if isinstance(value, Mapping):
        return {name: head_of(item, count) for name, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):  # a NamedTuple: its fields hold the items
        return type(value)(*(head_of(item, count) for item in value))
    return value[:count] if isinstance(value, (torch.Tensor, list, tuple)) else value


def time_step(task: Task, device: Device, batch: Batch) -> float:
    """Return the seconds that the losses of a batch and their gradients take; nothing is updated."""
    parameters = [each for optimizer in task.optimizers().values() for each in parameters_of(optimizer)]
    task.model.train()
    device.synchronize()
    started = time.perf_counter()
    with device.computing():
        for update in task.training_step(batch):
            if parameters:
                torch.autograd.grad(sum(update.losses.values()), parameters, allow_unused=True)  # type: ignore[arg-type]
    device.synchronize()
    return time.perf_counter() - started
