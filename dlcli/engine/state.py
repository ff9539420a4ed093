"""Where a training stands: what observers read and checkpoints keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from dlcli.engine.compute.backward import Backward
from dlcli.engine.compute.device import Device
from dlcli.engine.compute.distributed import LONE, World
from dlcli.engine.optim.schedule import Schedule
from dlcli.engine.task import Samples, Task, Update


@dataclass
class Sums:
    """Losses of the epoch so far, as tensors, so that adding to them waits for nothing."""

    losses: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, update: Update) -> None:
        """Add an update's losses, each weighted by its count."""
        for name, loss in update.losses.items():
            weighted = loss.detach().float() * update.count
            self.losses[name] = self.losses[name] + weighted if name in self.losses else weighted
            self.counts[name] = self.counts.get(name, 0) + update.count

    def merge(self, others: Iterable[Sums]) -> Sums:
        """Return these sums and those of other processes in one."""
        merged = Sums(dict(self.losses), dict(self.counts))
        for other in others:
            for name, total in other.losses.items():
                known = merged.losses.get(name)
                merged.losses[name] = total if known is None else known + total.to(known)
                merged.counts[name] = merged.counts.get(name, 0) + other.counts[name]
        return merged

    def means(self) -> dict[str, float]:
        """Return the mean of each loss over its items; this waits for the device."""
        return {name: float(total) / self.counts[name] for name, total in self.losses.items()}


def _ignore(phase: str) -> None:
    del phase


@dataclass
class TrainState:
    """Where a training stands; callbacks read it, checkpoints keep it.

    Attributes:
        task, device, optimizers, schedule: what is trained, where, and how.
        differentiate: takes the gradients, of several processes together.
        base_rates: each group's learning rate as built; the schedule is a factor on it.
        num_epochs, steps_per_epoch: the whole way.
        epoch: the epoch under way, from 0; after its end, the next one.
        batch: micro-batches of this epoch that are done.
        step: optimizer rounds since the start of training.
        sums: losses of this epoch so far.
        record: figures of the last finished epoch.
        samples: what is new in its samples, where an observer draws them.
        world: the processes that train together.
        best: the goal's best value so far; None where nothing judges the epochs (no goal, or nothing is validated).
        best_epoch: the best epoch, from 1: the goal's, or without one the newest.
        is_best: whether the last finished epoch was the best.
        failure: what broke the training, for the observers' last moment.
        averaged: the moving average of the weights, where one is kept: what is validated.
        seconds: how long this training has taken, where a time limit counts it.
        phase: told what begins now: data, forward, backward, optimizer, rest or validation.
    """

    task: Task
    device: Device
    optimizers: dict[str, Optimizer]
    schedule: Schedule
    differentiate: Backward
    base_rates: list[list[float]]
    num_epochs: int
    steps_per_epoch: int
    epoch: int = 0
    batch: int = 0
    step: int = 0
    sums: Sums = field(default_factory=Sums)
    record: dict[str, Any] = field(default_factory=dict)
    samples: Samples | None = None
    best: float | None = None
    best_epoch: int = 0
    world: World = LONE
    is_best: bool = False
    failure: BaseException | None = None
    averaged: AveragedModel | None = None
    seconds: float = 0.0
    phase: Callable[[str], None] = _ignore

    @property
    def learning_rate(self) -> float:
        """The learning rate of the first group of the first optimizer."""
        return float(next(iter(self.optimizers.values())).param_groups[0]["lr"])
