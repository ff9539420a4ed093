"""Semantic segmentation: the network, its loss, its data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcli.core.table import Table, table_of_entries
from dlcli.core.train_config import TrainConfig
from dlcli.data.annotated.fitting import STRIDE
from dlcli.data.annotated.form import AnnotatedForm, open_annotated
from dlcli.data.annotated.label_maps import label_map_in_image
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.card import Card
from dlcli.data.labels import read_labels
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parts import at_hand
from dlcli.engine.evaluate import infer_arrays
from dlcli.engine.task import Batch, Goal, Loader, Outputs, Samples, Update, check_sizes, refuse_weights
from dlcli.export.ecosystem import yolo_keys
from dlcli.export.plan import ExportPlan, single_graph
from dlcli.metrics.members import member_tables
from dlcli.models.ensemble import members_of
from dlcli.models.images.normalised import Normalised
from dlcli.models.segmentation.losses import dice_loss, median_frequency_weights, num_measured, pixel_cross_entropy
from dlcli.models.segmentation.segmenter import begin_at_shares
from dlcli.tasks.annotated.exporting import export_samples
from dlcli.tasks.annotated.source import AnnotatedSource
from dlcli.tasks.classes.ensemble import (
    build_members,
    member_logits,
    member_optimizers,
    named_members,
    require_different,
)
from dlcli.tasks.classes.training import class_weights_of, register_class_weights
from dlcli.tasks.segmentation.building import build_segmenter, check_batches, pixels_of
from dlcli.tasks.segmentation.codec import LABEL_MAP
from dlcli.tasks.segmentation.config import SCRATCH, SegmentationConfig
from dlcli.tasks.segmentation.metric import FullSizeMetric
from dlcli.tasks.segmentation.networks import NETWORKS
from dlcli.tasks.segmentation.source import (
    ReadTruth,
    class_pixels,
    has_truth,
    map_loader,
    require_classes,
    require_maps,
)

AUXILIARY_WEIGHT = 0.5
"""Of the loss of an auxiliary head, as in torchvision's references/segmentation/train.py."""

COUNTED_IMAGES = 200
"""Images whose pixels are counted for the shares that a fresh network begins with: about two seconds."""

DEFAULT_CLASSES = 20
"""Classes of a network without data: Pascal VOC's."""

MOST_UNEQUAL = 0.01
"""Share of the pixels in which an export may differ: where two classes are equally probable, rounding decides."""

NUM_SHOWN = 8
"""Augmented training images, and validation images with answers, in the samples of an epoch."""


class LabelMapGraph(nn.Module):
    """What is exported: (N, 3, H, W) uint8 pixels to the most probable class of each, (N, H, W) uint8."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Return 0 for the background and k + 1 for class k."""
        label_map: Tensor = self.model(images).argmax(1).to(torch.uint8)
        return label_map


class SegmentationTask:
    """See `dlcli.engine.task.Task`.

    A training batch has `images` (N, 3, H, W) and `label_maps` (N, H, W), uint8; `dlcli.data.annotated.loader` says
    what one for evaluation has.
    """

    inputs: tuple[str, ...] = ("images",)
    outputs: tuple[str, ...] = (LABEL_MAP,)
    goal = Goal("miou", larger_is_better=True)

    def __init__(
        self,
        config: SegmentationConfig,
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
        self.model = build_members(
            lambda: Normalised(build_segmenter(config, len(labels) + 1), preprocess.mean, preprocess.std),
            config.ensemble,
        )
        register_class_weights(self.model)

    @classmethod
    def from_data(cls, config: SegmentationConfig, train: TrainConfig, data: Path) -> SegmentationTask:
        """Return the task with a new network for annotated images.

        Raises:
            DataError: the images cannot be read, or no mask or label map shows a class.
            UsageError: there is no such network, or an option does not fit it.
        """
        if config.pretrained == SCRATCH:
            config = dataclasses.replace(config, pretrained=None)
        form = open_annotated(data)
        source = _source_of(form, form.card.classes, config, train)
        check_batches(config, train, len(source.part("train")[1]))
        task = cls(config, train, form.card.classes, _preprocess_of(config), source)
        require_different(task.model)
        require_classes(source, task.truth)
        if config.class_weights == "balanced":
            weights = median_frequency_weights(class_pixels(source, task.truth))
            register_class_weights(task.model, weights)
        elif config.model in NETWORKS or config.pretrained is None:  # else the weights of a file may know the classes
            pixels = class_pixels(source, task.truth, most=COUNTED_IMAGES).sum(axis=0)
            for member in members_of(task.model):
                begin_at_shares(cast(Normalised, member).network, pixels)  # type: ignore[arg-type]
        return task

    @classmethod
    def from_assets(
        cls, config: SegmentationConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> SegmentationTask:
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
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> SegmentationTask:
        """Return the task with a network alone, at its default sizes unless `size` overrides them.

        Raises:
            UsageError: there is no such network or size, or weights are requested, whose classes nothing names.
        """
        refuse_weights(name, pretrained)
        check_sizes(name, size, ("image_size", "num_classes"))
        config = SegmentationConfig(model=name, image_size=size.get("image_size", SegmentationConfig.image_size))
        labels = tuple(str(index) for index in range(size.get("num_classes", DEFAULT_CLASSES)))
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

    @property
    def truth(self) -> ReadTruth:
        """Reads label maps.

        Raises:
            DataError: there is no data.
        """
        return ReadTruth(self.source.form, tuple(self.source.to_run.tolist()))

    def assets(self) -> dict[str, Any]:
        """Return the assets: labels and preprocessing."""
        return {"labels": list(self.labels), "preprocess": self.preprocess.to_json()}

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return the loader of a process's share of a split, shuffled and augmented if `training`.

        Raises:
            DataError: there is no data, or no such split.
        """
        if training:
            return map_loader(self.source, self.preprocess, self._config.augment, self.truth, shard)
        return self.source.evaluation(split, self.preprocess, shard)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the optimizer of each member, by default of the only network."""
        return member_optimizers(self.model, self._train)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield the losses of each member on a batch, means over the pixels that are not void."""
        truth, weights = batch["label_maps"], class_weights_of(self.model)
        count = num_measured(truth)
        for name, member in named_members(self.model).items():
            normalised = member.normalise(batch["images"])  # type: ignore[operator]
            answer, *others = member.network.logits_by_head(normalised)  # type: ignore[operator, union-attr]
            losses = {"cross_entropy": pixel_cross_entropy(answer, truth, weights)}
            if self._config.dice:
                losses["dice"] = dice_loss(answer, truth)
            for logits in others:
                losses["auxiliary"] = AUXILIARY_WEIGHT * pixel_cross_entropy(logits, truth, weights)
            yield Update(name, losses, count)

    def infer(self, batch: Batch) -> Outputs:
        """Return the class of each pixel of the canvas."""
        return {LABEL_MAP: LabelMapGraph(self.model)(batch["images"])}

    def measure(self, batch: Batch) -> Outputs:
        """Return the class of each pixel by each member of an ensemble, (N, M, H, W) uint8; see `member_logits`."""
        logits = member_logits(self.model, batch, self.inputs)
        return {name: value.argmax(2).to(torch.uint8) for name, value in logits.items()}

    def metric(self) -> FullSizeMetric:
        """Return a new metric."""
        return FullSizeMetric(self.labels, self.truth if self._source is not None else None)

    def samples(self) -> Samples | None:
        """Return augmented training images above validation images with answers; None without data."""
        if self._source is None:
            return None
        from dlcli.visualize.canvas import stack, tile
        from dlcli.visualize.masks import draw_label_map

        batch = next(iter(self.loader("train", training=True).batches()))
        pairs = zip(batch["images"].permute(0, 2, 3, 1).numpy(), batch["label_maps"].numpy(), strict=True)
        pictures = [tile([draw_label_map(np.ascontiguousarray(one), own) for one, own in list(pairs)[:NUM_SHOWN]])]
        drawn = []
        for image, _ in self._source.some("valid", NUM_SHOWN):
            canvas, fit = self.preprocess.fit(image)
            answer = infer_arrays(self, {"images": canvas.transpose(2, 0, 1)[np.newaxis]})[LABEL_MAP]
            drawn.append(draw_label_map(image, label_map_in_image(answer[0], fit)))
        return Samples(stack([*pictures, tile(drawn)]) if drawn else pictures[0])

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the metrics of each class."""
        del split
        yield from member_tables(report)
        yield table_of_entries("per_class", report["per_class"])

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield which classes' pixels are mistaken for which."""
        from dlcli.visualize.confusion import draw_confusion

        del split
        yield "confusion.png", draw_confusion(np.asarray(report["confusion"]), ("background", *self.labels))

    def export_plan(self) -> ExportPlan:
        """Return the model with samples of several sizes: real images if there is data, else noise."""
        samples = export_samples(self.preprocess, self._source)
        return single_graph(
            LabelMapGraph(self.model),
            inputs=self.inputs,
            outputs=self.outputs,
            samples=[{"images": images} for images in samples],
            dynamic={"images": {0: "batch", 2: "height", 3: "width"}},
            example={"images": torch.from_numpy(samples[0])},
            metadata={"assets": self.assets()},
            foreign=yolo_keys(("background", *self.labels), stride=STRIDE),
            tolerance={LABEL_MAP: MOST_UNEQUAL},
            multiples={"height": STRIDE, "width": STRIDE},
        )


def _source_of(
    form: AnnotatedForm, labels: tuple[str, ...], config: SegmentationConfig, train: TrainConfig
) -> AnnotatedSource:
    require_maps(form)
    return AnnotatedSource(
        form,
        labels,
        train,
        cache=config.cache,
        max_bad=config.max_bad,
        is_usable=lambda record: has_truth(form, record),
    )


def _preprocess_of(config: SegmentationConfig) -> CanvasPreprocess:
    mean, std = pixels_of(config)
    return CanvasPreprocess(config.image_size, None, mean, std)  # type: ignore[arg-type]
