"""What a task must be for the loop to train it: the maths, and nothing to inherit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcli.core.errors import UsageError
from dlcli.core.table import Table
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.data.codec import Arrays
from dlcli.data.order import WHOLE, Shard
from dlcli.export.plan import ExportPlan

Batch = Mapping[str, Any]
"""Tensors by name; ragged ones, as boxes and pictures of several sizes, are lists of tensors.

The names in `Task.inputs` are what the model takes; the others are targets.
"""

Outputs = Mapping[str, Any]
"""What the model answers, by the names in `Task.outputs`: always tensors, batch first.

Answers of unequal number are filled up: a detector gives `boxes` (N, K, 4), `scores` (N, K), `labels` (N, K) and
`counts` (N,), of which the first `counts[i]` of item i count. The codec and the metric cut them.
"""


@dataclass(frozen=True)
class Update:
    """Minimise these losses with that optimizer.

    Attributes:
        optimizer: which of the task's optimizers steps.
        losses: name -> scalar tensor, the mean over `count` items; the loop minimises their sum.
        count: images, tokens or boxes: the weight in sums over batches.
    """

    optimizer: str
    losses: Mapping[str, Tensor]
    count: int


@dataclass(frozen=True)
class Goal:
    """The metric that picks the best checkpoint."""

    metric: str
    larger_is_better: bool

    def is_better(self, value: float, best: float | None) -> bool:
        """Return whether `value` beats `best`; NaN beats nothing."""
        if value != value:
            return False
        if best is None:
            return True
        return value > best if self.larger_is_better else value < best


class Loader(Protocol):
    """Batches of one split, in an order that is a function of (seed, epoch) alone.

    So any batch can be reached without drawing the ones before it, and a resumed run sees what the first would have.
    """

    @property
    def num_items(self) -> int:
        """The number of items an epoch shows."""
        ...

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        ...

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from the batch numbered `start` on."""
        ...


class Metric(Protocol):
    """Sums up a split; figures are over all samples, never a mean of batch means.

    It takes numpy and imports no torch, so that it also measures an exported file. Two kinds of figures side by side
    are a metric that hands on to two.
    """

    def update(self, batch: Mapping[str, Any], outputs: Arrays) -> None:
        """Take in a batch and the model's answers, as `Batch` and `Outputs` with arrays in place of the tensors."""
        ...

    def merge(self, other: Any) -> None:
        """Take in what another process's metric of the same kind has seen."""
        ...

    def compute(self) -> dict[str, float]:
        """Return the figures by name; `loss` is among them where the task has one that tells something."""
        ...

    def report(self) -> dict[str, Any]:
        """Return what `dl eval` reports, as JSON values.

        `metrics` and `lower_is_better` (the names of those that are better when lower) are always there. What else
        there is, only the task's own tables and pictures read.
        """
        ...


@dataclass(frozen=True, eq=False)
class Samples:
    """What training sees or makes, for people to look at.

    Attributes:
        picture: (H, W, 3) uint8 RGB; None where there is none.
        lines: texts, a line each.
    """

    picture: np.ndarray | None = None
    lines: tuple[str, ...] = ()


class Task(Protocol):
    """The maths of one task; what only some tasks can do stands in the protocols after it."""

    model: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def goal(self) -> Goal | None:
        """The metric that picks the best epoch; None where no figure can, and the newest epoch is the best."""
        ...

    @property
    def card(self) -> Card | None:
        """The card of the data at hand, None where there is none."""
        ...

    def assets(self) -> dict[str, Any]:
        """Return the JSON values that travel with a run and its exports: labels, vocabulary, preprocessing."""
        ...

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return the batches of train, valid, test (or another split of the data): each item once, in one order.

        For `training` they are shuffled and augmented. Of each batch only the `shard` of one process is taken.

        Raises:
            DataError: there is no such split, or no data at all.
        """
        ...

    def optimizers(self) -> dict[str, Optimizer]:
        """Return new optimizers over the model's parameters, by name."""
        ...

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield what to minimise; the next update is asked for after the one before has stepped."""
        ...

    def infer(self, batch: Batch) -> Outputs:
        """Return the model's answers; evaluation, prediction and the export check all call this one."""
        ...

    def metric(self) -> Metric:
        """Return a new, empty metric."""
        ...

    def samples(self) -> Samples | None:
        """Return what training sees or makes, None where there is nothing to look at.

        `dlcli.engine.evaluate.draw_samples` calls this: the model is in evaluation mode, and no gradient is kept. What
        is drawn at random should be the same each time (noise from a seed), so that epochs can be compared.
        """
        ...

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the tables of an evaluation; their entries stand in the report under their names."""
        ...

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the pictures of an evaluation: a file name and (H, W, 3) uint8 RGB."""
        ...

    def export_plan(self) -> ExportPlan:
        """Return what the exporters need."""
        ...


@runtime_checkable
class HasNetwork(Protocol):
    """A task of whose model only a part answers: critics and the like are needed for training alone."""

    @property
    def network(self) -> nn.Module:
        """The part of `model` that `infer` uses: what is averaged, kept in `best.pt`, counted and drawn."""
        ...


def network_of(task: Task) -> nn.Module:
    """Return the part of the task's model that answers; most often that is the whole."""
    return task.network if isinstance(task, HasNetwork) else task.model


@runtime_checkable
class KeepsState(Protocol):
    """A task that remembers something from step to step beside its model: a pool of earlier answers, a count."""

    def state(self) -> dict[str, Any]:
        """Return what an exact continuation needs, by name: tensors, plain values, and lists and dicts of them.

        Of several processes each has its own.
        """
        ...

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` returned; its tensors may lie on another device (the CPU) than they did."""
        ...


@runtime_checkable
class Validates(Protocol):
    """A task whose epochs are measured by another answer than the one it gives: a cheaper one, or one with a loss."""

    def validate(self, batch: Batch) -> Outputs:
        """Return the answers that validation measures, in place of those of `infer`; `metric` understands both.

        Only the training loop asks for them; `dl eval` measures what `dl predict` answers.
        """
        ...


@runtime_checkable
class TakesInference(Protocol):
    """A task whose network answers by inference options: how to search, how much to spend on an answer."""

    def set_inference(self, options: Any) -> None:
        """Take up the options, in the dataclass that `TaskSpec.inference` names; without a call they are its defaults.

        What an option adds to the outputs of `infer`, `metric`, `export_plan` and the codec understand.
        """
        ...


@runtime_checkable
class HasBaselines(Protocol):
    """A task that can say what simple models reach on its data."""

    def baseline(self, split: str) -> Mapping[str, Mapping[str, float]]:
        """Return name -> figures of models fitted on the training part and measured on the split."""
        ...


def check_sizes(name: str, size: Mapping[str, int], known: Collection[str] = ()) -> None:
    """Check that a network is asked for in kinds of sizes that its task knows.

    Raises:
        UsageError: it is not.
    """
    unknown = next((option for option in size if option not in known), None)
    if unknown is not None:
        raise UsageError(f"--{unknown.replace('_', '-')}: {name} has no such size", hint=f"`dl models {name}`")


class TaskFactory(Protocol):
    """The class that a `TaskSpec` names."""

    @classmethod
    def from_data(cls, config: Any, train: TrainConfig, data: Path) -> Task:
        """Return the task with a new network for the prepared data.

        Raises:
            DataError: the data is missing, invalid, or not of the task's form.
            UsageError: an option does not fit the data.
        """
        ...

    @classmethod
    def from_assets(cls, config: Any, train: TrainConfig, assets: Mapping[str, Any], data: Path | None) -> Task:
        """Return the task as a run describes it, its weights not yet loaded; `data` is for evaluation.

        Raises:
            RunError: the assets are damaged.
            DataError: the data does not fit the run (an unknown class).
        """
        ...

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int]) -> Task:
        """Return the task with a network of fresh weights, for `dl models` and for export.

        `size` is what the user asks for of `image_size`, `channels` and `num_classes`; the network's own for the rest.
        `check_sizes` refuses those that the task does not know.

        Raises:
            UsageError: there is no such network, or it has no size of that kind.
            ValueError: it cannot be built in that size.
        """
        ...
