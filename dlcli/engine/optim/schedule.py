"""Learning rate schedules as functions of progress, so that resuming needs no state (except for plateaus)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer

STEP_DECAY, STEP_AT = 0.1, (0.5, 0.75)
"""`step`: divide by ten at half and at three quarters of the epochs (He et al. 2015, CIFAR-10 section)."""


ONECYCLE_WARMUP, ONECYCLE_START, ONECYCLE_END = 0.3, 1 / 25, 1e-4
"""`onecycle`: rise for 30 % from 1/25 of the peak, then fall to 1e-4 of it (Smith & Topin 2017, fastai's values)."""


PLATEAU_PATIENCE, PLATEAU_DECAY = 3, 0.3
"""`plateau`: after more than this many epochs without improvement, multiply the learning rate by this factor."""


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
    "plateau": _constant,  # `Schedule.observe` lowers it
}


@dataclass
class Schedule:
    """The factor by which the base learning rates are multiplied.

    Attributes:
        shape: a name in `SHAPES`.
        num_steps: optimizer steps in the whole training.
        warmup_steps: steps of linear warm-up, multiplied with the shape.
        scale: the factor from plateaus so far.
        stale_epochs: epochs since the last improvement.
    """

    shape: str
    num_steps: int
    warmup_steps: int = 0
    scale: float = 1.0
    stale_epochs: int = 0

    def factor(self, step: int, until: float = 1.0) -> float:
        """Return the factor for a step.

        Args:
            step: the step's number, from 0.
            until: the fraction of the training into which the shape is compressed; after it the factor is 0.
        """
        progress = step / max(1, self.num_steps)
        if until < 1 and progress >= until:
            return 0.0
        warm = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        return warm * self.scale * SHAPES[self.shape](progress / until)

    def observe(self, *, is_better: bool) -> None:
        """Record the end of an epoch; only `plateau` depends on it."""
        self.stale_epochs = 0 if is_better else self.stale_epochs + 1
        if self.shape == "plateau" and self.stale_epochs > PLATEAU_PATIENCE:
            self.scale *= PLATEAU_DECAY
            self.stale_epochs = 0

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"scale": self.scale, "stale_epochs": self.stale_epochs, "num_steps": self.num_steps}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.scale, self.stale_epochs = float(state["scale"]), int(state["stale_epochs"])
        self.num_steps = int(state.get("num_steps", self.num_steps))  # fewer if a time budget shortened the training


def base_rates(optimizers: Iterable[Optimizer]) -> list[list[float]]:
    """Return the current learning rate of each group of each optimizer."""
    return [[float(group["lr"]) for group in optimizer.param_groups] for optimizer in optimizers]


def set_rates(optimizers: Iterable[Optimizer], rates: list[list[float]], schedule: Schedule, step: int) -> None:
    """Set each group's learning rate to its base rate times the schedule's factor for the step."""
    for optimizer, bases in zip(optimizers, rates, strict=True):
        for group, base in zip(optimizer.param_groups, bases, strict=True):
            group["lr"] = base * schedule.factor(step, group.get("until", 1.0))
