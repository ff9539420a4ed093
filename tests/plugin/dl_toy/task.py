"""The maths of the task: data, step, inference, metric."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from dl_toy.dataset import read_numbers
from dl_toy.options import NETWORKS, ToyConfig
from dlcli.core.registry import load_object
from dlcli.core.table import Table
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card, read_card
from dlcli.data.codec import Arrays
from dlcli.data.loading import ArrayLoader
from dlcli.data.order import WHOLE, Order, Shard
from dlcli.data.parts import at_hand, stratified_part
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.task import Batch, Goal, Update, check_sizes, refuse_weights
from dlcli.export.plan import PARITY_BATCHES, ExportPlan, cut_samples, single_graph


def build_linear(*, width: int) -> nn.Module:
    """Return one layer: (N, 2) to (N, 1)."""
    del width
    return nn.Linear(2, 1)


def build_mlp(*, width: int) -> nn.Module:
    """Return two layers: (N, 2) to (N, 1)."""
    return nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, 1))


def numbers_loader(rows: np.ndarray, order: Order) -> ArrayLoader:
    """Return the batches of an order; a batch holds `pairs` (N, 2) and `targets` (N, 1)."""
    numbers = torch.from_numpy(rows)
    return ArrayLoader(order, lambda indices, _: {"pairs": numbers[indices, :2], "targets": numbers[indices, 2:]})


class SquaredError:
    """See `dlcli.engine.task.Metric`."""

    def __init__(self) -> None:
        self._total, self._count = 0.0, 0

    def update(self, batch: Arrays, outputs: Arrays) -> None:
        """Take in (N, 1) values and targets."""
        self._total += float(np.square(outputs["values"] - batch["targets"]).sum())
        self._count += len(batch["targets"])

    def merge(self, other: SquaredError) -> None:
        """Take in what another process has seen."""
        self._total, self._count = self._total + other._total, self._count + other._count

    def compute(self) -> dict[str, float]:
        """Return the mean squared error, as `loss`, and its root."""
        loss = self._total / self._count
        return {"loss": loss, "rmse": math.sqrt(loss)}

    def report(self) -> dict[str, Any]:
        """Return the figures, and which are better when lower."""
        return {"metrics": self.compute(), "lower_is_better": ["loss", "rmse"]}


class ToyTask:
    """See `dlcli.engine.task.Task`."""

    inputs = ("pairs",)
    outputs = ("values",)
    goal = Goal("rmse", larger_is_better=False)

    def __init__(self, config: ToyConfig, train: TrainConfig, data: Path | None) -> None:
        self._train = train
        self._data = data
        self.model: nn.Module = load_object(NETWORKS[config.model].build)(width=config.width)

    @classmethod
    def from_data(cls, config: ToyConfig, train: TrainConfig, data: Path) -> ToyTask:
        """Return the task with a new network for the prepared data."""
        read_numbers(data, "train")
        return cls(config, train, data)

    @classmethod
    def from_assets(
        cls, config: ToyConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> ToyTask:
        """Return the task as a run describes it."""
        del assets
        return cls(config, train, data)

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> ToyTask:
        """Return the task with a network of fresh weights; no size can be chosen."""
        check_sizes(name, size)
        refuse_weights(name, pretrained)
        return cls(ToyConfig(model=name), TrainConfig(), None)

    @property
    def card(self) -> Card | None:
        """The card of the data at hand."""
        return read_card(self._data) if self._data is not None else None

    def assets(self) -> dict[str, Any]:
        """Return nothing: two numbers need no labels and no scale."""
        return {}

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> ArrayLoader:
        """Return the batches of a split, for `training` shuffled; `valid` is cut out of the training rows."""
        rows = read_numbers(at_hand(self._data), "train" if split == "valid" else split)
        chosen = np.ones(len(rows), dtype=bool)
        if split in ("train", "valid"):
            is_valid = stratified_part(np.zeros(len(rows)), self._train.val_fraction, self._train.seed)
            chosen = is_valid if split == "valid" else ~is_valid
        seed = self._train.seed if training else None
        return numbers_loader(rows, Order(np.flatnonzero(chosen), self._train.batch_size, seed=seed, shard=shard))

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the one optimizer."""
        return {"network": build_optimizer(self.model, self._train)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Minimise the mean squared error."""
        loss = F.mse_loss(self.model(batch["pairs"]).float(), batch["targets"])
        yield Update("network", {"squared_error": loss}, len(batch["targets"]))

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        """Return the third numbers, (N, 1)."""
        return {"values": self.model(batch["pairs"])}

    def metric(self) -> SquaredError:
        """Return a new metric."""
        return SquaredError()

    def samples(self) -> None:
        """Return nothing: numbers are no picture."""
        return

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield no table."""
        del report, split
        return iter(())

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield no picture."""
        del report, split
        return iter(())

    def export_plan(self) -> ExportPlan:
        """Return what the exporters need: an example, and samples of other sizes that prove the file."""
        pairs = np.random.default_rng(0).uniform(-1, 1, (sum(PARITY_BATCHES), 2)).astype(np.float32)
        return single_graph(
            self.model,
            inputs=self.inputs,
            outputs=self.outputs,
            samples=cut_samples({"pairs": pairs}),
            metadata={"assets": self.assets()},
        )
