"""Choose the precision by a short timing: bf16 runs at 2.4x on dense convolutions, at 0.57x on depthwise ones."""

from __future__ import annotations

import torch

from dlcli.engine.compute.device import Device
from dlcli.engine.compute.trial import head_of, leaving_no_trace, time_step
from dlcli.engine.task import Batch, Task

TRIALS = 3
"""Timed steps per precision, alternating; the fastest counts, because other processes only ever slow one down."""

MAX_ITEMS = 64
"""At most this many items of a batch are timed: enough to be compute-bound, few enough to cost about a second."""

MIN_GAIN = 1.1
"""bf16 must be at least this much faster; otherwise fp32 is preferred for its accuracy."""

BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "avx_ne_convert")
"""Any of them lets an x86 processor compute in bf16."""

MIN_STEPS = 100
"""A shorter training would end before the trial pays off."""


def why_untimed(*, is_deterministic: bool, num_steps: int) -> str | None:
    """Return why a training uses fp32 without a trial, or None if a trial should decide."""
    if is_deterministic:
        return "--deterministic rules out a timing"
    return f"{num_steps} steps are too few for a trial of bf16" if num_steps < MIN_STEPS else None


def computes_bf16() -> bool:
    """Return whether this processor may compute in bf16 by itself; without, each operator converts to fp32 and back.

    Where that is so bf16 has only been seen slower: half as fast with AVX-512, and a tenth with AVX2, where a trial of
    eight images took a minute and a half.
    """
    found = torch.cpu.get_capabilities()
    return found.get("architecture") != "x86_64" or any(found.get(name) for name in BF16_INSTRUCTIONS)


def choose_precision(
    task: Task, device: Device, batch: Batch, asked: str, *, untimed: str | None = None
) -> tuple[Device, str]:
    """Return the device at the chosen precision, and the reason for it.

    The model, its buffers, the task's state and the random generators are left unchanged.

    Args:
        task: the task whose training step is timed.
        device: where the training runs.
        batch: a training batch; its first items are used.
        asked: "auto", "fp32" or "bf16".
        untimed: why "auto" is fp32 without a trial; None to time both.
    """
    if asked != "auto":
        return device.with_precision(asked), "given"
    if untimed is not None:
        return device.with_precision("fp32"), untimed
    if device.torch_device.type == "mps":
        return device.with_precision("fp32"), "the default on mps"
    if device.torch_device.type == "cpu" and not computes_bf16():
        return device.with_precision("fp32"), "this processor has no instructions for bf16"
    small = device.move(head_of(batch, MAX_ITEMS))
    with leaving_no_trace(task):
        trials = [
            {name: time_step(task, device.with_precision(name), small) for name in ("fp32", "bf16")}
            for _ in range(TRIALS + 1)  # one more, since the first builds kernels and is never the fastest
        ]
    seconds = {name: min(trial[name] for trial in trials) for name in ("fp32", "bf16")}
    gain = seconds["fp32"] / seconds["bf16"]
    precision = "bf16" if gain > MIN_GAIN else "fp32"
    return device.with_precision(precision), f"bf16 is {gain:.2f}x as fast as fp32 on this network here"
