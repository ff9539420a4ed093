"""Optimizers by name and learning-rate schedules as functions of progress, so that resuming them needs no state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcli.core.errors import UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.optim.muon import Muon, muon_groups
from dlcli.models.fitting import LearnsEarly

MOMENTUM = 0.9
"""Of SGD, with Nesterov's look-ahead: what every reference recipe of this field uses."""

STEP_DECAY, STEP_AT = 0.1, (0.5, 0.75)
"""`step`: a tenth at half and at three quarters of the epochs (He et al. 2015, CIFAR-10 section)."""

ONECYCLE_WARMUP, ONECYCLE_START, ONECYCLE_END = 0.3, 1 / 25, 1e-4
"""`onecycle`: 30 % upwards from a 25th of the peak, then down to 1e-4 of it (Smith & Topin 2017, fastai's values)."""

PLATEAU_PATIENCE, PLATEAU_DECAY = 3, 0.3
"""`plateau`: after so many epochs without a better one, this much of the learning rate is left."""


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return two groups of the trainable parameters: matrices and filters decay; norms, biases and scalars do not.

    Source: He et al. 2019, "Bag of tricks", arXiv:1812.01187, section 3.1.
    """
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]


def with_ends(groups: Iterable[dict[str, Any]], module: nn.Module) -> list[dict[str, Any]]:
    """Return the groups that hold anything; what the network learns early alone is in groups of their own.

    Such a group's `until` is the part of the training in which it is trained: its schedule ends there.
    """
    learners = [part for part in module.modules() if isinstance(part, LearnsEarly)]
    ends = {id(parameter): until for part in learners for parameter, until in part.learned_early()}
    split: list[dict[str, Any]] = []
    for group in groups:
        split.append({**group, "params": [p for p in group["params"] if id(p) not in ends]})
        split += [{**group, "params": [p], "until": ends[id(p)]} for p in group["params"] if id(p) in ends]
    return [group for group in split if group["params"]]


def build_optimizer(module: nn.Module, config: TrainConfig) -> Optimizer:
    """Return the optimizer that the configuration names over the module's trainable parameters.

    Raises:
        UsageError: the optimizer has no weight decay, and some is asked for.
    """
    if config.optimizer == "muon":
        return Muon(with_ends(muon_groups(module, lr=config.learning_rate, weight_decay=config.weight_decay), module))
    groups = with_ends(parameter_groups(module, config.weight_decay), module)
    rate = config.learning_rate
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=MOMENTUM, nesterov=True)
    if config.optimizer == "lazyadam":
        if config.weight_decay:
            raise UsageError(
                f"--optimizer lazyadam: decays no weights, and --weight-decay is {config.weight_decay:g}",
                hint="give --weight-decay 0: rows that a batch lacks are to stay where they are",
            )
        from dlcli.engine.optim.lazy_adam import LazyAdam

        for group in groups:
            del group["weight_decay"]
        return LazyAdam(groups, lr=rate)
    # One kernel for all: half the time of a step where an embedding is large, and the same numbers.
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, lr=rate, fused=True)
    return torch.optim.AdamW(groups, lr=rate, fused=True)


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


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """Return the parameters that the optimizer steps now: those of a group whose end has come need no gradient."""
    groups = [group for group in optimizer.param_groups if "until" not in group or group["lr"]]
    return [parameter for group in groups for parameter in group["params"]]
