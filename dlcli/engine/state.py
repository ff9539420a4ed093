"""The state of a training, which callbacks read and checkpoints store."""

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
    """Losses and figures of the epoch so far, as tensors on the device: adding to them needs no synchronisation."""

    losses: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    figures: dict[str, Tensor] = field(default_factory=dict)

    def add(self, update: Update) -> None:
        """Add an update's losses and figures, each weighted by its count."""
        for totals, values in ((self.losses, update.losses), (self.figures, update.figures)):
            for name, value in values.items():
                weighted = value.detach().float() * update.count
                totals[name] = totals[name] + weighted if name in totals else weighted
                self.counts[name] = self.counts.get(name, 0) + update.count

    def merge(self, others: Iterable[Sums]) -> Sums:
        """Return the total of these sums and those of other processes."""
        merged = Sums(dict(self.losses), dict(self.counts), dict(self.figures))
        for other in others:
            for totals, more in ((merged.losses, other.losses), (merged.figures, other.figures)):
                for name, total in more.items():
                    known = totals.get(name)
                    totals[name] = total if known is None else known + total.to(known)
            for name, count in other.counts.items():
                merged.counts[name] = merged.counts.get(name, 0) + count
        return merged

    def means(self) -> dict[str, float]:
        """Return the mean of each loss over its items; this synchronises the device."""
        return {name: float(total) / self.counts[name] for name, total in self.losses.items()}

    def figure_means(self) -> dict[str, float]:
        """Return the mean of each figure over its items."""
        return {name: float(total) / self.counts[name] for name, total in self.figures.items()}


def _ignore(phase: str) -> None:
    del phase


@dataclass
class TrainState:
    """The state of a training; callbacks read it, checkpoints store it.

    Attributes:
        task, device, optimizers, schedule: what is trained, where, and how.
        differentiate: computes the gradients, averaged over all processes.
        base_rates: the initial learning rate of each group of each optimizer; the schedule multiplies it.
        num_epochs, steps_per_epoch: the length of the whole training.
        accumulate: micro-batches of a step; the last step of an epoch may have fewer.
        epoch: the current epoch, from 0; once it has ended, the next one.
        batch: finished micro-batches in this epoch.
        step: finished optimizer steps since the start of training.
        sums: losses and figures of this epoch so far.
        gradient_norm: the norm of the last step's gradients, a scalar, before clipping; None if it was not measured.
        record: the metrics of the last finished epoch.
        samples: the new samples of that epoch, if a callback draws them.
        world: the processes of this training.
        best: the goal's best value so far; None if epochs are not compared (no goal, or no validation).
        best_loss: the validation loss of the best epoch, if there is one.
        best_epoch: the best epoch, from 1: by the goal, or the newest if epochs are not compared.
        is_best: whether the last finished epoch is the best so far.
        failure: the exception that ended the training, for `on_train_end`.
        averaged: the average of the weights, if enabled; it is what is validated.
        seconds: the duration of this training so far, if there is a time limit.
        phase: called with the name of the phase that starts: data, forward, backward, optimizer, rest or validation.
    """

    task: Task
    device: Device
    optimizers: dict[str, Optimizer]
    schedule: Schedule
    differentiate: Backward
    base_rates: list[list[float]]
    num_epochs: int
    steps_per_epoch: int
    accumulate: int = 1
    epoch: int = 0
    batch: int = 0
    step: int = 0
    sums: Sums = field(default_factory=Sums)
    record: dict[str, Any] = field(default_factory=dict)
    samples: Samples | None = None
    gradient_norm: Tensor | None = None
    best: float | None = None
    best_loss: float | None = None
    best_epoch: int = 0
    world: World = LONE
    is_best: bool = False
    failure: BaseException | None = None
    averaged: AveragedModel | None = None
    seconds: float = 0.0
    phase: Callable[[str], None] = _ignore

    @property
    def learning_rate(self) -> float:
        """The learning rate of the first group of the first optimizer; 0 if there is none."""
        first = next(iter(self.optimizers.values()), None)
        return float(first.param_groups[0]["lr"]) if first is not None else 0.0
