"""Multi-label classification: the network, its loss, its data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcli.core.errors import DataError
from dlcli.core.table import Table, table_of_entries
from dlcli.core.train_config import TrainConfig
from dlcli.data.annotated.form import AnnotatedForm, open_annotated
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.card import Card
from dlcli.data.items import Item
from dlcli.data.labels import read_labels
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parts import at_hand
from dlcli.engine.evaluate import infer_arrays
from dlcli.engine.task import Batch, Goal, Loader, Outputs, Samples, Update, check_sizes, refuse_weights
from dlcli.export.ecosystem import yolo_keys
from dlcli.export.plan import ExportPlan, single_graph
from dlcli.metrics.members import member_tables
from dlcli.metrics.multilabel import DEFAULT_THRESHOLD, MultilabelMetric
from dlcli.models.ensemble import Ensemble, mean_of_labels
from dlcli.models.heads import heads_of
from dlcli.models.images.normalised import Normalised
from dlcli.models.images.pretrained import expected_pixels
from dlcli.models.images.published import IMAGENET_PIXELS
from dlcli.tasks.annotated.exporting import export_samples
from dlcli.tasks.annotated.source import AnnotatedSource
from dlcli.tasks.classes.ensemble import (
    build_members,
    member_logits,
    member_optimizers,
    named_members,
    require_different,
)
from dlcli.tasks.classes.image_building import build_classifier
from dlcli.tasks.multilabel.baseline import baselines
from dlcli.tasks.multilabel.codec import THRESHOLDS, probabilities_of
from dlcli.tasks.multilabel.config import SCRATCH, MultilabelConfig, MultilabelInference
from dlcli.tasks.multilabel.losses import LOSSES
from dlcli.tasks.multilabel.source import target_loader, targets_of

NUM_SHOWN = 8
"""Augmented training images, and validation images with answers, in the samples of an epoch."""


class WithThresholds(nn.Module):
    """What is exported: a classifier's logits with the threshold of each class, both (N, C) float32."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return both for (N, 3, H, W) pixels in 0..255."""
        thresholds = self.model.get_buffer(THRESHOLDS)
        return self.model(images), thresholds.expand(images.shape[0], -1)


class MultilabelTask:
    """See `dlcli.engine.task.Task`; a batch holds `images` (N, 3, H, W) uint8, `targets` (N, C) and `rows` (N,).

    The thresholds are a buffer of the model, chosen by best F1 on the validation part, so that they are saved with the
    weights for which they were chosen.
    """

    inputs: tuple[str, ...] = ("images",)
    outputs: tuple[str, ...] = ("logits", THRESHOLDS)
    goal = Goal("map", larger_is_better=True)

    def __init__(
        self,
        config: MultilabelConfig,
        train: TrainConfig,
        labels: tuple[str, ...],
        preprocess: CanvasPreprocess,
        source: AnnotatedSource | None,
    ) -> None:
        self._config = config
        self._train = train
        self.labels = labels
        self.preprocess = preprocess
        self._source = source
        self._inference = MultilabelInference()
        self.model = build_members(
            lambda: _build_model(config, len(labels), preprocess),
            config.ensemble,
            partial(Ensemble, combine=mean_of_labels),
        )
        self.model.register_buffer(THRESHOLDS, torch.full((len(labels),), DEFAULT_THRESHOLD))

    @classmethod
    def from_data(cls, config: MultilabelConfig, train: TrainConfig, data: Path) -> MultilabelTask:
        """Return the task with a new network for annotated images.

        Raises:
            DataError: the images cannot be read, or none shows a class.
            UsageError: there is no such network, or an option does not fit it.
        """
        if config.pretrained == SCRATCH:
            config = dataclasses.replace(config, pretrained=None)
        form = open_annotated(data)
        _require_labels(form)
        source = _source_of(form, form.card.classes, config, train)
        task = cls(config, train, form.card.classes, _preprocess_of(config), source)
        require_different(task.model)
        return task

    @classmethod
    def from_assets(
        cls, config: MultilabelConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> MultilabelTask:
        """Return the task of a run from its assets.

        Raises:
            RunError: an asset is damaged.
            DataError: the data cannot be read, or has a class that the run does not.
        """
        labels, preprocess = read_labels(assets.get("labels")), CanvasPreprocess.from_json(assets.get("preprocess"))
        source = _source_of(open_annotated(data), labels, config, train) if data is not None else None
        fresh = dataclasses.replace(config, pretrained=None)  # the weights come from the checkpoint
        return cls(fresh, train, labels, preprocess, source)

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> MultilabelTask:
        """Return the task with a network alone, at its default sizes unless `size` overrides them.

        Raises:
            UsageError: there is no such network or size, or weights are requested, which have no thresholds.
        """
        refuse_weights(name, pretrained)
        check_sizes(name, size, ("image_size", "num_classes"))
        config = MultilabelConfig(model=name, image_size=size.get("image_size", MultilabelConfig.image_size))
        labels = tuple(str(index) for index in range(size.get("num_classes", 20)))
        return cls(config, TrainConfig(), labels, _preprocess_of(config), None)

    @property
    def card(self) -> Card | None:
        """The card of the images, with the unreadable files found so far; None without data."""
        return self._source.card if self._source is not None else None

    @property
    def source(self) -> AnnotatedSource:
        """The images.

        Raises:
            DataError: there are none.
        """
        return at_hand(self._source)

    def head(self) -> nn.Module:
        """Return the last layer, whose input is an item's embedding, or those of an ensemble's members.

        Raises:
            ValueError: it cannot be found in this network.
        """
        return heads_of(self.model)

    def assets(self) -> dict[str, Any]:
        """Return the assets: labels and preprocessing."""
        return {"labels": list(self.labels), "preprocess": self.preprocess.to_json()}

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return the loader of a process's share of a split, shuffled and augmented if `training`.

        Raises:
            DataError: there is no data, or no such split.
        """
        return target_loader(self.source, split, self.preprocess, self._config.augment, training=training, shard=shard)

    def items(self, split: str, rows: Sequence[int]) -> list[Item]:
        """Return the items of a split with these row numbers.

        Raises:
            DataError: there is no data, no such split, or an item cannot be read.
        """
        return at_hand(self._source).items(split, rows)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the optimizer of each member, by default of the only network."""
        return member_optimizers(self.model, self._train)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield the loss of each member on a batch."""
        for name, network in named_members(self.model).items():
            loss = LOSSES[self._config.loss](network(batch["images"]), batch["targets"])
            yield Update(name, {self._config.loss: loss}, len(batch["targets"]))

    def set_inference(self, options: MultilabelInference) -> None:
        """Set the options for prediction, evaluation and export."""
        self._inference = options

    def infer(self, batch: Batch) -> Outputs:
        """Return (N, C) logits and thresholds."""
        return dict(zip(self.outputs, WithThresholds(self.model)(batch["images"]), strict=True))

    def measure(self, batch: Batch) -> Outputs:
        """Return the logits of an ensemble's members; see `member_logits`."""
        return member_logits(self.model, batch, self.inputs)

    @property
    def thresholds(self) -> np.ndarray:
        """The least probability of each class, (C,) float64: the user's, or those chosen in validation."""
        if self._inference.threshold is not None:
            return np.full(len(self.labels), self._inference.threshold)
        return self.model.get_buffer(THRESHOLDS).double().cpu().numpy()

    def metric(self) -> MultilabelMetric:
        """Return a new metric."""
        return MultilabelMetric(self.labels, self.thresholds.tolist())

    def metric_of_file(self, outputs: Mapping[str, np.ndarray]) -> tuple[MultilabelMetric, bool]:
        """Return a metric with the thresholds of an exported file, which are among its outputs. See `MeasuresFiles`."""
        self.model.get_buffer(THRESHOLDS).copy_(torch.from_numpy(outputs[THRESHOLDS][0].copy()))
        return self.metric(), True

    def calibrate(self, metric: MultilabelMetric) -> None:
        """Set the threshold of each class to that of its best F1 on the validation part."""
        self.model.get_buffer(THRESHOLDS).copy_(torch.tensor(metric.thresholds()))

    def baseline(self, split: str) -> Mapping[str, Mapping[str, float]]:
        """Return the metrics of predicting nothing, and of the classes' frequencies in training."""
        targets = []
        for own in ("train", split):
            records, indices = self.source.part(own)
            targets.append(targets_of([records[row] for row in indices.tolist()], len(self.labels)).numpy())
        return baselines(self.labels, *targets)

    def samples(self) -> Samples | None:
        """Return augmented training images above validation images with answers; None without data."""
        if self._source is None:
            return None
        from dlcli.visualize.canvas import stack, tile

        batch = next(iter(self.loader("train", training=True).batches()))
        images = list(batch["images"][:NUM_SHOWN].permute(0, 2, 3, 1).numpy())
        pictures = [tile(images, captions=[self._names(row) for row in batch["targets"][:NUM_SHOWN].numpy()])]
        held_out = [self.preprocess.fit(image)[0] for image, _ in self._source.some("valid", NUM_SHOWN)]
        if held_out:
            logits = infer_arrays(self, {"images": np.stack(held_out).transpose(0, 3, 1, 2)})["logits"]
            pictures.append(tile(held_out, captions=[self._answer(row) for row in probabilities_of(logits)]))
        return Samples(stack(pictures))

    def _names(self, row: np.ndarray) -> str:
        return ", ".join(self.labels[k] for k in np.flatnonzero(row).tolist()) or "-"

    def _answer(self, probabilities: np.ndarray) -> str:
        """Return the labels with their probabilities, or the most probable class in brackets if there are none."""
        order = np.argsort(-probabilities, kind="stable").tolist()
        words = [f"{self.labels[k]} {probabilities[k]:.1%}" for k in order]
        present = [word for k, word in zip(order, words, strict=True) if probabilities[k] >= self.thresholds[k]]
        return "\n".join(present) or f"({words[0]})"

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the metrics of each class."""
        del split
        yield from member_tables(report)
        yield table_of_entries("per_class", report["per_class"])

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield no picture."""
        del report, split
        return iter(())

    def export_plan(self) -> ExportPlan:
        """Return the model with samples: real images if there is data, else noise."""
        return single_graph(
            WithThresholds(self.model),
            inputs=self.inputs,
            outputs=self.outputs,
            samples=[{"images": images} for images in export_samples(self.preprocess, self._source)],
            metadata={"assets": self.assets()},
            foreign=yolo_keys(self.labels),
        )


def _require_labels(form: AnnotatedForm) -> None:
    """Check that the training images show a class.

    Raises:
        DataError: they show none.
    """
    form.of_split("train")
    if not any(form.card.counts.get("train", {}).values()):
        raise DataError(
            f"{form.root}: no training image has an object or a tag",
            hint="a multi-label classifier learns from images that show something",
        )


def _build_model(config: MultilabelConfig, num_classes: int, preprocess: CanvasPreprocess) -> nn.Module:
    """Return a network from pixels to (N, C) logits."""
    network = build_classifier(
        config.model,
        num_classes=num_classes,
        channels=3,
        size=(config.image_size, config.image_size),
        own={"width": config.width},
        pretrained=config.pretrained,
    )
    return Normalised(network, preprocess.mean, preprocess.std)


def _source_of(
    form: AnnotatedForm, labels: tuple[str, ...], config: MultilabelConfig, train: TrainConfig
) -> AnnotatedSource:
    return AnnotatedSource(form, labels, train, cache=config.cache, max_bad=config.max_bad)


def _preprocess_of(config: MultilabelConfig) -> CanvasPreprocess:
    """Return the square canvas, which classifiers are built for, and the pixels that the weights expect."""
    mean, std = IMAGENET_PIXELS
    if config.pretrained is not None:
        mean, std = expected_pixels(config.model, config.pretrained)
    side = config.image_size
    return CanvasPreprocess(side, (side, side), mean, std)  # type: ignore[arg-type]
