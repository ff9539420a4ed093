"""The protocols of a task that the loop can train: only the maths, with nothing to inherit.

`dlcli.engine.factory` says how a task is made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcli.core.errors import UsageError
from dlcli.core.table import Table
from dlcli.data.card import Card
from dlcli.data.codec import Arrays
from dlcli.data.order import WHOLE, Shard
from dlcli.export.plan import ExportPlan
from dlcli.metrics.label_errors import ItemProbabilities

Batch = Mapping[str, Any]
"""Tensors by name; ragged values, such as boxes or images of different sizes, are lists of tensors.

The names in `Task.inputs` are the model's inputs; the others are targets.
"""

Outputs = Mapping[str, Any]
"""The model's outputs, by the names in `Task.outputs`: always tensors, batch first.

A variable number of outputs is padded: a detector returns `boxes` (N, K, 4), `scores` (N, K), `labels` (N, K) and
`counts` (N,), where the first `counts[i]` of item i are valid. The codec and the metric remove the padding.
"""


@dataclass(frozen=True)
class Update:
    """Losses for one optimizer to minimise.

    Attributes:
        optimizer: the name of the task's optimizer that steps; None if none does, because the network was fitted to
            the data before the first step: the losses are then only recorded.
        losses: name -> scalar tensor, the mean over `count` items; the loop minimises their sum.
        count: the number of items (images, tokens or boxes), the weight in sums over batches.
        figures: name -> scalar tensor, the mean over `count` items of something else that is known anyway, such as the
            accuracy; recorded as `train_<name>`.
    """

    optimizer: str | None
    losses: Mapping[str, Tensor]
    count: int
    figures: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Goal:
    """The metric that selects the best checkpoint.

    Attributes:
        metric: its name.
        larger_is_better: whether larger values are better.
        beside: further metrics that the line of an epoch shows.
    """

    metric: str
    larger_is_better: bool
    beside: tuple[str, ...] = ()

    def is_better(self, value: float, best: float | None) -> bool:
        """Return whether `value` is better than `best`; NaN never is."""
        if value != value:
            return False
        if best is None:
            return True
        return value > best if self.larger_is_better else value < best


class Loader(Protocol):
    """Batches of one split, in an order that depends only on (seed, epoch).

    So any batch can be reached without iterating over the ones before it, and a resumed run sees the same batches as an
    uninterrupted one.
    """

    @property
    def num_items(self) -> int:
        """The number of items in an epoch."""
        ...

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        ...

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, starting with the batch numbered `start`."""
        ...


@runtime_checkable
class CountsSizes(Protocol):
    """A loader whose batch size may count parts of items, such as tokens."""

    @property
    def epoch_size(self) -> int:
        """The size of an epoch in the unit of the batch size."""
        ...


class Metric(Protocol):
    """Accumulates over a split; its values are over all samples, never a mean of batch means.

    It takes numpy arrays and does not import torch, so that it can evaluate an exported file too. To combine two kinds
    of metrics, write a metric that delegates to both.
    """

    def update(self, batch: Mapping[str, Any], outputs: Arrays) -> None:
        """Add a batch and the model's outputs, as `Batch` and `Outputs` with arrays in place of tensors."""
        ...

    def merge(self, other: Any) -> None:
        """Add what another process's metric of the same class has accumulated."""
        ...

    def compute(self) -> dict[str, float]:
        """Return the values by name, including `loss` if the task has a meaningful one."""
        ...

    def report(self) -> dict[str, Any]:
        """Return what `dl eval` reports, as JSON values.

        `metrics` and `lower_is_better` (the names of metrics that are better when lower) are required. Anything else is
        read only by the task's own tables and pictures.
        """
        ...


@dataclass(frozen=True, eq=False)
class Samples:
    """Training inputs or generated outputs, for people to look at.

    Attributes:
        picture: (H, W, 3) uint8 RGB, or None.
        lines: texts of one line each.
    """

    picture: np.ndarray | None = None
    lines: tuple[str, ...] = ()


class Task(Protocol):
    """The maths of one task; optional capabilities are in the protocols below."""

    model: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def goal(self) -> Goal | None:
        """The metric that selects the best epoch; None if no metric can, so that the newest epoch is the best."""
        ...

    @property
    def card(self) -> Card | None:
        """The card of the task's data; None without data."""
        ...

    def assets(self) -> dict[str, Any]:
        """Return the JSON values stored with a run and its exports: labels, vocabulary, preprocessing."""
        ...

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return the batches of train, valid, test (or another split of the data): each item once, in a fixed order.

        For `training` they are shuffled and augmented. Each batch contains only the `shard` of one process.

        Raises:
            DataError: there is no such split, or no data at all.
        """
        ...

    def optimizers(self) -> dict[str, Optimizer]:
        """Return new optimizers over the model's parameters, by name; none where there is nothing to learn."""
        ...

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield the updates of a batch; the next one is requested only after the optimizer has stepped."""
        ...

    def infer(self, batch: Batch) -> Outputs:
        """Return the model's outputs; evaluation, prediction and the export check all use this."""
        ...

    def metric(self) -> Metric:
        """Return a new, empty metric."""
        ...

    def samples(self) -> Samples | None:
        """Return training inputs or generated outputs to look at, or None.

        `dlcli.engine.evaluate.draw_samples` calls this with the model in evaluation mode and without gradients. Random
        values should be the same each time (noise from a seed), so that epochs can be compared.
        """
        ...

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the tables of an evaluation; their entries are added to the report under their names."""
        ...

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the pictures of an evaluation, each a file name and (H, W, 3) uint8 RGB."""
        ...

    def export_plan(self) -> ExportPlan:
        """Return what the exporters need."""
        ...


@runtime_checkable
class HasNetwork(Protocol):
    """A task that uses only a part of its model for inference: critics and the like are needed only in training."""

    @property
    def network(self) -> nn.Module:
        """The part of `model` that `infer` uses: it is averaged, saved in `best.pt`, counted and drawn."""
        ...


def network_of(task: Task) -> nn.Module:
    """Return the part of the task's model used for inference, by default all of it."""
    return task.network if isinstance(task, HasNetwork) else task.model


@runtime_checkable
class KeepsState(Protocol):
    """A task with state across steps besides its model, such as a pool of earlier outputs or a counter."""

    def state(self) -> dict[str, Any]:
        """Return what an exact resume of this process needs, by name: tensors, plain values, lists and dicts."""
        ...

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned; its tensors may be on another device than before (the CPU)."""
        ...


@runtime_checkable
class Validates(Protocol):
    """A task whose validation uses other outputs than its inference: cheaper ones, or ones with a loss."""

    def validate(self, batch: Batch) -> Outputs:
        """Return the outputs for validation, in place of those of `infer`; `metric` must accept both.

        Only the training loop uses them; `dl eval` measures the outputs of `dl predict`.
        """
        ...


@runtime_checkable
class Measures(Protocol):
    """A task some of whose figures come from other outputs than its answers: a perplexity, an ensemble's members."""

    def measure(self, batch: Batch) -> Outputs:
        """Return what `dl eval` gives to `metric` after the outputs of `infer`, or {}; the metric must accept both."""
        ...


@runtime_checkable
class KnowsProbabilities(Protocol):
    """A metric that knows how probable each class is for each item, as those of classifiers do."""

    def item_probabilities(self) -> ItemProbabilities:
        """Return them for all items so far; a cross-validation stores them, since no fold has seen what it tests."""
        ...


@runtime_checkable
class Calibrates(Protocol):
    """A task that chooses something on the validation part, such as thresholds, after each validation."""

    def calibrate(self, metric: Any) -> None:
        """Set buffers of the network to what suits the validation part, of which `metric` is the task's metric."""
        ...


@runtime_checkable
class TakesInference(Protocol):
    """A task whose inference has options, such as a search strategy or a compute budget."""

    def set_inference(self, options: Any) -> None:
        """Take up the options, in the dataclass that `TaskSpec.inference` names; without a call they are its defaults.

        What an option adds to the outputs of `infer`, `metric`, `export_plan` and the codec understand.
        """
        ...


@runtime_checkable
class HasBaselines(Protocol):
    """A task with simple baseline models for its data."""

    def baseline(self, split: str) -> Mapping[str, Mapping[str, float]]:
        """Return name -> metrics of models fitted on the training split and evaluated on `split`."""
        ...


@runtime_checkable
class HasNotes(Protocol):
    """A task with something to say about its data as the options cut it, or about the weights that it was given."""

    def notes(self) -> Sequence[str]:
        """Return one line for each thing; none if there is nothing to say."""
        ...


def notes_of(task: Task) -> Sequence[str]:
    """Return what the task has to say about its data or its weights."""
    return task.notes() if isinstance(task, HasNotes) else ()


def check_sizes(name: str, size: Mapping[str, int], known: Collection[str] = ()) -> None:
    """Check that the sizes requested for a network are ones that its task supports.

    Raises:
        UsageError: one of them is not.
    """
    unknown = next((option for option in size if option not in known), None)
    if unknown is not None:
        raise UsageError(f"--{unknown.replace('_', '-')}: {name} has no such size", hint=f"`dl models {name}`")


def refuse_weights(name: str, pretrained: str | None) -> None:
    """Check that no ready weights are requested of a network that needs more than weights, such as a vocabulary.

    Raises:
        UsageError: they are.
    """
    if pretrained is not None:
        raise UsageError(
            f"--pretrained: {name} needs more than weights to answer", hint="name a run, which stores the rest"
        )
