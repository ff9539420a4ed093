"""Choosing the number format by a short timing: bf16 is 2.4x faster on dense convolutions, 0.57x on depthwise ones."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from typing import Any

import torch

from dlcli.engine.compute.device import Device
from dlcli.engine.task import Batch, KeepsState, Task

TRIALS = 3
"""Timed steps a format, taken in turn; the fastest counts, because what else runs here only ever makes one slower."""

MAX_ITEMS = 64
"""Items of the batch that are timed: enough to be bound by arithmetic, few enough to cost a second."""

MIN_GAIN = 1.1
"""bf16 must win by this much, or fp32's exactness is preferred."""

MIN_STEPS = 100
"""A shorter training is over before a trial has paid for itself."""


def why_untimed(*, is_deterministic: bool, num_steps: int) -> str | None:
    """Return why a training takes fp32 without a trial, or None where a trial shall decide."""
    if is_deterministic:
        return "--deterministic leaves nothing to a timing"
    return f"{num_steps} steps are too few for a trial of bf16" if num_steps < MIN_STEPS else None


def choose_precision(
    task: Task, device: Device, batch: Batch, asked: str, *, untimed: str | None = None
) -> tuple[Device, str]:
    """Return the device in the chosen format, and why; "auto" is fp32 where `untimed` says why no trial decides.

    The model, its buffers, the task's own state and the random generators are left as they were.
    """
    if asked != "auto":
        return device.with_precision(asked), "given"
    if untimed is not None:
        return device.with_precision("fp32"), untimed
    if device.torch_device.type == "mps":
        return device.with_precision("fp32"), "the default on mps"
    small = device.move(_head(batch))
    before = copy.deepcopy(task.model.state_dict())
    kept = copy.deepcopy(task.state()) if isinstance(task, KeepsState) else None
    with torch.random.fork_rng():
        trials = [
            {name: _time_step(task, device.with_precision(name), small) for name in ("fp32", "bf16")}
            for _ in range(TRIALS + 1)  # the first, which builds kernels, is among them and never the fastest
        ]
    seconds = {name: min(trial[name] for trial in trials) for name in ("fp32", "bf16")}
    task.model.load_state_dict(before)
    if isinstance(task, KeepsState) and kept is not None:
        task.load_state(kept)
    gain = seconds["fp32"] / seconds["bf16"]
    precision = "bf16" if gain > MIN_GAIN else "fp32"
    return device.with_precision(precision), f"bf16 is {gain:.2f}x as fast as fp32 on this network here"


def _head(value: Any) -> Any:
    """Return the first items of whatever a batch holds."""
    if isinstance(value, Mapping):
        return {name: _head(item) for name, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):  # a NamedTuple: its fields hold the items
        return type(value)(*(_head(item) for item in value))
    return value[:MAX_ITEMS] if isinstance(value, (torch.Tensor, list, tuple)) else value


def _time_step(task: Task, device: Device, batch: Batch) -> float:
    parameters = [parameter for parameter in task.model.parameters() if parameter.requires_grad]
    task.model.train()
    device.synchronize()
    started = time.perf_counter()
    with device.computing():
        for update in task.training_step(batch):
            torch.autograd.grad(sum(update.losses.values()), parameters, allow_unused=True)  # type: ignore[arg-type]
    device.synchronize()
    return time.perf_counter() - started
