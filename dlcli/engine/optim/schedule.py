"""Learning-rate schedules as functions of progress, so that resuming them needs no state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer

STEP_DECAY, STEP_AT = 0.1, (0.5, 0.75)
"""`step`: a tenth at half and at three quarters of the epochs (He et al. 2015, CIFAR-10 section)."""


ONECYCLE_WARMUP, ONECYCLE_START, ONECYCLE_END = 0.3, 1 / 25, 1e-4
"""`onecycle`: 30 % upwards from a 25th of the peak, then down to 1e-4 of it (Smith & Topin 2017, fastai's values)."""


PLATEAU_PATIENCE, PLATEAU_DECAY = 3, 0.3
"""`plateau`: after so many epochs without a better one, this much of the learning rate is left."""


def _constant(progress: float) -> float:
    del progress
    return 1.0


def _step(progress: float) -> float:
    return float(STEP_DECAY ** sum(progress >= at for at in STEP_AT))


def _cosine(progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def _linear(progress: float) -> float:
    return max(0.0, 1 - progress)


def _onecycle(progress: float) -> float:
    if progress < ONECYCLE_WARMUP:
        rise = 1 - _cosine(progress / ONECYCLE_WARMUP)
        return ONECYCLE_START + (1 - ONECYCLE_START) * rise
    fall = _cosine((progress - ONECYCLE_WARMUP) / (1 - ONECYCLE_WARMUP))
    return ONECYCLE_END + (1 - ONECYCLE_END) * fall


SHAPES: dict[str, Callable[[float], float]] = {
    "constant": _constant,
    "step": _step,
    "cosine": _cosine,
    "linear": _linear,
    "onecycle": _onecycle,
    "plateau": _constant,  # the fall comes from `Schedule.observe`
}


@dataclass
class Schedule:
    """The factor on every optimizer's own learning rate.

    Attributes:
        shape: a name in `SHAPES`.
        num_steps: optimizer steps of the whole training.
        warmup_steps: linear rise over the first steps, on top of the shape.
        scale: what plateaus have left of the learning rate.
        stale_epochs: epochs since the last better one.
    """

    shape: str
    num_steps: int
    warmup_steps: int = 0
    scale: float = 1.0
    stale_epochs: int = 0

    def factor(self, step: int, until: float = 1.0) -> float:
        """Return the factor for the step numbered `step` (from 0).

        Args:
            step: how many steps came before it.
            until: the part of the training that the shape is squeezed into; after it the factor is 0.
        """
        progress = step / max(1, self.num_steps)
        if until < 1 and progress >= until:
            return 0.0
        warm = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        return warm * self.scale * SHAPES[self.shape](progress / until)

    def observe(self, *, is_better: bool) -> None:
        """Take note of a finished epoch; only `plateau` acts on it."""
        self.stale_epochs = 0 if is_better else self.stale_epochs + 1
        if self.shape == "plateau" and self.stale_epochs > PLATEAU_PATIENCE:
            self.scale *= PLATEAU_DECAY
            self.stale_epochs = 0

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"scale": self.scale, "stale_epochs": self.stale_epochs}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what a checkpoint kept."""
        self.scale, self.stale_epochs = float(state["scale"]), int(state["stale_epochs"])


def base_rates(optimizers: Iterable[Optimizer]) -> list[list[float]]:
    """Return the learning rate of each group of each optimizer, as built."""
    return [[float(group["lr"]) for group in optimizer.param_groups] for optimizer in optimizers]


def set_rates(optimizers: Iterable[Optimizer], rates: list[list[float]], schedule: Schedule, step: int) -> None:
    """Set each group's learning rate to its base times the schedule's factor at this step."""
    for optimizer, bases in zip(optimizers, rates, strict=True):
        for group, base in zip(optimizer.param_groups, bases, strict=True):
            group["lr"] = base * schedule.factor(step, group.get("until", 1.0))
