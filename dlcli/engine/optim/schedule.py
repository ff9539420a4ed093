"""Learning rate schedules as functions of the step, so that resuming needs no state (except for plateaus).

Each equals the scheduler of `torch.optim.lr_scheduler` with the same values, step by step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from torch.optim import Optimizer

from dlcli.core.train_config import read_schedule

STEP_AT = (0.5, 0.75)
"""`step` without a number of epochs: at half and at three quarters of the training (He et al. 2015, CIFAR-10)."""

Values = Mapping[str, float]


@dataclass(frozen=True)
class Place:
    """A moment of the training.

    Attributes:
        step: finished optimizer steps.
        num_steps: steps until the schedule ends.
        steps_per_epoch: steps in an epoch.
    """

    step: int
    num_steps: float
    steps_per_epoch: int

    @property
    def progress(self) -> float:
        """The finished fraction."""
        return self.step / max(1, self.num_steps)

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return self.step // max(1, self.steps_per_epoch)


def _constant(place: Place, values: Values) -> float:
    del place, values
    return 1.0


def _step(place: Place, values: Values) -> float:
    """Multiply by `factor` every `epochs` epochs, as StepLR does."""
    if values["epochs"]:
        return float(values["factor"] ** (place.epoch // values["epochs"]))
    return float(values["factor"] ** sum(place.progress >= at for at in STEP_AT))


def _exponential(place: Place, values: Values) -> float:
    """Multiply by `factor` after every epoch, as ExponentialLR does."""
    return float(values["factor"] ** place.epoch)


def _cosine(place: Place, values: Values) -> float:
    """Fall to `end` of the peak, as CosineAnnealingLR does."""
    return _between(1.0, values["end"], min(place.progress, 1.0))


def _linear(place: Place, values: Values) -> float:
    """Hold for the fraction `hold`, then fall to zero; 0.5 is CycleGAN's (Zhu et al. 2017, arXiv:1703.10593)."""
    return min(1.0, max(0.0, (1 - place.progress) / (1 - values["hold"])))


def _onecycle(place: Place, values: Values) -> float:
    """Rise from 1/`divisor` for the fraction `rise`, then fall to `end`, both along a cosine, as OneCycleLR does.

    Source: Smith & Topin 2017, arXiv:1708.07120.
    """
    last = max(1.0, place.num_steps - 1)
    top = min(max(0.0, values["rise"] * place.num_steps - 1), last - 1e-9)
    if place.step <= top:
        return _between(1 / values["divisor"], 1.0, place.step / top if top else 1.0)
    return _between(1.0, values["end"], min(1.0, (place.step - top) / (last - top)))


def _inverse_sqrt(place: Place, values: Values) -> float:
    """Rise linearly for `steps` steps, then fall with the inverse root of the step; the peak is 1.

    Source: Vaswani et al. 2017, arXiv:1706.03762, equation 3, over its value at the peak.
    """
    step = place.step + 1
    return min(step / values["steps"], math.sqrt(values["steps"] / step))


def _coslog(place: Place, values: Values) -> float:
    """Rise from zero and fall back to it along a cosine, in cycles that are each twice as long as the one before.

    Source: Holzmueller et al. 2024, arXiv:2407.04491, which has four cycles.
    """
    return _between(0.0, 1.0, 2 * math.log2(1 + (2 ** values["cycles"] - 1) * min(place.progress, 1.0)))


def _between(start: float, end: float, fraction: float) -> float:
    """Return the value at a fraction of the way along half a cosine wave."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * fraction))


SHAPES: dict[str, Callable[[Place, Values], float]] = {
    "constant": _constant,
    "step": _step,
    "exponential": _exponential,
    "cosine": _cosine,
    "linear": _linear,
    "onecycle": _onecycle,
    "inverse-sqrt": _inverse_sqrt,
    "coslog": _coslog,
    "plateau": _constant,  # `Schedule.observe` lowers it
}


@dataclass
class Schedule:
    """The factor by which the base learning rates are multiplied.

    Attributes:
        text: the name of a shape, and its values, as in `--schedule`.
        num_steps: optimizer steps in the whole training.
        warmup_steps: steps of linear warm-up, multiplied with the shape.
        steps_per_epoch: steps in an epoch.
        scale: the factor from plateaus so far.
        stale_epochs: epochs since the last improvement.
    """

    text: str
    num_steps: int
    warmup_steps: int = 0
    steps_per_epoch: int = 1
    scale: float = 1.0
    stale_epochs: int = 0

    def __post_init__(self) -> None:
        self.name, self.values = read_schedule(self.text)

    def factor(self, step: int, until: float = 1.0) -> float:
        """Return the factor for a step.

        Args:
            step: the step's number, from 0.
            until: the fraction of the training into which the shape is compressed; after it the factor is 0.
        """
        if until < 1 and step / max(1, self.num_steps) >= until:
            return 0.0
        warm = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        place = Place(step, self.num_steps * until, self.steps_per_epoch)
        return warm * self.scale * SHAPES[self.name](place, self.values)

    def observe(self, *, is_better: bool) -> None:
        """Record a validation; only `plateau` depends on it.

        After more than `patience` validations in a row without improvement, it multiplies by `factor`, as
        ReduceLROnPlateau does with a threshold of 0.
        """
        self.stale_epochs = 0 if is_better else self.stale_epochs + 1
        if self.name == "plateau" and self.stale_epochs > self.values["patience"]:
            self.scale *= self.values["factor"]
            self.stale_epochs = 0

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {
            "scale": self.scale,
            "stale_epochs": self.stale_epochs,
            "num_steps": self.num_steps,
            "steps_per_epoch": self.steps_per_epoch,
        }

    def load_state(self, state: Mapping[str, Any]) -> Fraction:
        """Restore the state from a checkpoint, and return how many steps an epoch has for each one that it had then.

        It has others if another number of processes shares its items. The training keeps its length in epochs.

        Raises:
            ValueError: a number is out of range.
        """
        self.scale, self.stale_epochs = float(state["scale"]), int(state["stale_epochs"])
        before = int(state.get("steps_per_epoch", self.steps_per_epoch))  # older files lack it
        if before < 1:
            raise ValueError(f"its schedule has steps_per_epoch = {before}")
        ratio = Fraction(self.steps_per_epoch, before)
        num_steps = int(state.get("num_steps", self.num_steps))  # others if a time budget changed them
        self.num_steps = math.ceil(num_steps * ratio)
        return ratio


def base_rates(optimizers: Iterable[Optimizer]) -> list[list[float]]:
    """Return the current learning rate of each group of each optimizer."""
    return [[float(group["lr"]) for group in optimizer.param_groups] for optimizer in optimizers]


def set_rates(optimizers: Iterable[Optimizer], rates: list[list[float]], schedule: Schedule, step: int) -> None:
    """Set each group's learning rate to its base rate times the schedule's factor for the step."""
    factors: dict[float, float] = {}
    for optimizer, bases in zip(optimizers, rates, strict=True):
        for group, base in zip(optimizer.param_groups, bases, strict=True):
            until = group.get("until", 1.0)
            if until not in factors:
                factors[until] = schedule.factor(step, until)
            group["lr"] = base * factors[until]
