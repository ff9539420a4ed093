"""Object detection: the network, its losses, its data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from dlcli.core.table import Table
from dlcli.core.train_config import TrainConfig
from dlcli.data.annotated.answers import least_scores
from dlcli.data.annotated.fitting import STRIDE
from dlcli.data.annotated.form import open_annotated
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.card import Card
from dlcli.data.images.operations.colour import FILL
from dlcli.data.labels import read_labels
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parts import at_hand
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.task import Batch, Goal, Loader, Outputs, Samples, Update, check_sizes, refuse_weights
from dlcli.export.align import detections_aligned
from dlcli.export.ecosystem import yolo_keys
from dlcli.export.plan import ExportPlan, single_graph
from dlcli.metrics.detection import DetectionMetric
from dlcli.metrics.largest import LARGEST_NAMES
from dlcli.models.detection.detector import Detector, Limits, Target
from dlcli.models.detection.normalised import DetectionGraph, NormalisedDetector
from dlcli.models.detection.suppression import ONNX_TRANSLATIONS
from dlcli.tasks.annotated.exporting import export_samples
from dlcli.tasks.annotated.source import AnnotatedSource
from dlcli.tasks.detection.building import (
    build_detector,
    canvas_of,
    exports_one_image,
    finds_largest,
    has_masks,
    pixels_of,
)
from dlcli.tasks.detection.codec import LIMITS, THRESHOLDS, limits_of
from dlcli.tasks.detection.config import KMEANS, DetectionConfig, DetectionInference
from dlcli.tasks.detection.report import draw_detection_report, tables_of
from dlcli.tasks.detection.samples import detection_samples
from dlcli.tasks.detection.source import box_sizes, detection_loader, detection_source, require_masks

OUTPUTS = ("boxes", "scores", "labels", "counts", THRESHOLDS)
MASKS = "masks"
"""The output after them of a detector of masks."""

SINGLE_IMAGES = 4
"""Images, besides a grey one, with which an export for one image a call is compared with the network."""

DEFAULT_CLASSES = 80
"""Classes of a detector without data: COCO's."""


class DetectionTask:
    """See `dlcli.engine.task.Task`; `dlcli.data.annotated.loader` says what a batch holds."""

    inputs: tuple[str, ...] = ("images",)

    def __init__(
        self,
        config: DetectionConfig,
        train: TrainConfig,
        labels: tuple[str, ...],
        preprocess: CanvasPreprocess,
        model: NormalisedDetector,
        source: AnnotatedSource | None,
    ) -> None:
        self._config = config
        self._train = train
        self.labels = labels
        self.preprocess = preprocess
        self.model: nn.Module = model
        self.outputs: tuple[str, ...] = (*OUTPUTS, MASKS) if has_masks(model.detector) else OUTPUTS
        self._source = source
        self._inference = DetectionInference()

    @classmethod
    def from_data(cls, config: DetectionConfig, train: TrainConfig, data: Path) -> DetectionTask:
        """Return the task with a new network for the annotated images.

        Raises:
            DataError: the images cannot be read, or have no boxes.
            UsageError: there is no such network, or an option does not fit it.
        """
        form = open_annotated(data)
        labels = form.card.classes
        source = detection_source(form, labels, config, train)
        sizes = box_sizes(source, config.image_size) if config.anchors == KMEANS else None
        detector = build_detector(config, len(labels), box_sizes=sizes)
        if has_masks(detector):
            require_masks(form, config.model)
        return cls._with_fresh(detector, config, train, labels, source)

    @classmethod
    def _with_fresh(
        cls,
        detector: Detector,
        config: DetectionConfig,
        train: TrainConfig,
        labels: tuple[str, ...],
        source: AnnotatedSource | None,
    ) -> DetectionTask:
        """Return the task with a detector that no run has trained, on the canvas and the pixels that suit it."""
        mean, std = pixels_of(config)
        preprocess = CanvasPreprocess(config.image_size, canvas_of(detector), mean, std)  # type: ignore[arg-type]
        return cls(config, train, labels, preprocess, NormalisedDetector(detector, mean, std, len(labels)), source)

    @classmethod
    def from_assets(
        cls, config: DetectionConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> DetectionTask:
        """Return the task of a run from its assets.

        Raises:
            RunError: an asset is damaged.
            DataError: the data cannot be read, or has a class that the run does not.
        """
        labels, preprocess = read_labels(assets.get("labels")), CanvasPreprocess.from_json(assets.get("preprocess"))
        source = detection_source(open_annotated(data), labels, config, train) if data is not None else None
        fresh = dataclasses.replace(config, pretrained=None)  # the weights come from the checkpoint
        model = NormalisedDetector(build_detector(fresh, len(labels)), preprocess.mean, preprocess.std, len(labels))
        return cls(config, train, labels, preprocess, model, source)

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> DetectionTask:
        """Return the task with a network alone, at its default sizes unless `size` overrides them.

        Raises:
            UsageError: there is no such network or size, or it has no published weights.
        """
        refuse_weights(name, pretrained)
        check_sizes(name, size, ("image_size", "num_classes"))
        config = DetectionConfig(model=name, image_size=size.get("image_size", 320))
        labels = tuple(str(index) for index in range(size.get("num_classes", DEFAULT_CLASSES)))
        return cls._with_fresh(build_detector(config, len(labels)), config, TrainConfig(), labels, None)

    @property
    def has_masks(self) -> bool:
        """Whether the detector learns and returns masks as well as boxes."""
        return has_masks(self._model.detector)

    @property
    def goal(self) -> Goal:
        """The metric of the best epoch: the AP of masks where there are masks, as COCO ranks instance segmentation."""
        beside = LARGEST_NAMES if finds_largest(self._model.detector) else ()
        return Goal("mask_ap" if self.has_masks else "ap", larger_is_better=True, beside=beside)

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

    def assets(self) -> dict[str, Any]:
        """Return the assets: labels and preprocessing."""
        return {"labels": list(self.labels), "preprocess": self.preprocess.to_json()}

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return the loader of a process's share of a split, shuffled and augmented if `training`.

        Raises:
            DataError: there is no data, or no such split.
        """
        return detection_loader(
            self.source,
            split,
            self.preprocess,
            self._config,
            training=training,
            shard=shard,
            with_masks=self.has_masks,
        )

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the single optimizer."""
        return {"network": build_optimizer(self.model, self._train)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield the losses of a batch."""
        count = len(batch["boxes"])
        parts = (batch["boxes"], batch["labels"], batch.get("masks", [None] * count), batch["ignored"])
        targets = [Target(*each) for each in zip(*parts, strict=True)]
        yield Update("network", self._model.losses(batch["images"], targets), len(targets))

    @property
    def _model(self) -> NormalisedDetector:
        assert isinstance(self.model, NormalisedDetector)
        return self.model

    @property
    def limits(self) -> Limits:
        """The limits that the inference options set; detections of every score that AP looks at are among them."""
        nms = self._inference.suppression
        return Limits(iou=None if nms == "off" else float(nms), most=self._inference.most)

    def set_inference(self, options: DetectionInference) -> None:
        """Set the options for prediction, evaluation and export."""
        self._inference = options

    def infer(self, batch: Batch) -> Outputs:
        """Return the detections in pixels of the canvas."""
        graph = DetectionGraph(self._model, self.limits)
        return dict(zip(self.outputs, graph(batch["images"]), strict=True))

    def metric(self) -> DetectionMetric:
        """Return a new metric."""
        thresholds = least_scores(self._model.thresholds.cpu().numpy()).tolist()
        return DetectionMetric(
            self.labels,
            has_masks=self.has_masks,
            thresholds=thresholds,
            finds_largest=finds_largest(self._model.detector),
        )

    def metric_of_file(self, outputs: Mapping[str, np.ndarray]) -> tuple[DetectionMetric, bool]:
        """Return a metric with the thresholds of an exported file, which are among its outputs. See `MeasuresFiles`."""
        self._model.thresholds.copy_(torch.from_numpy(outputs[THRESHOLDS][0].copy()))
        return self.metric(), True

    def calibrate(self, metric: DetectionMetric) -> None:
        """Set the least score of each class that is worth showing to that of its best F1 on the validation part."""
        best = torch.from_numpy(metric.best_thresholds()).to(self._model.thresholds)
        self._model.thresholds.copy_(torch.where(best.isnan(), self._model.thresholds, best))

    def samples(self) -> Samples | None:
        """Return augmented training images above validation images with answers; None without data."""
        if self._source is None:
            return None
        return detection_samples(self, self._source, self.preprocess)

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the figures of each class and of each size of object."""
        del split
        return tables_of(report)

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield precision against recall, and the kinds of errors."""
        del split
        return draw_detection_report(report, self.labels)

    def export_plan(self) -> ExportPlan:
        """Return the model with samples of several sizes: real images if there is data, else noise."""
        if exports_one_image(self._model.detector):
            return self._plan_of_one_image()
        samples = export_samples(self.preprocess, self._source)
        is_fixed = self.preprocess.canvas is not None
        axes = {0: "batch"} if is_fixed else {0: "batch", 2: "height", 3: "width"}
        return single_graph(
            DetectionGraph(self._model, self.limits),
            inputs=self.inputs,
            outputs=self.outputs,
            samples=[{"images": images} for images in samples],
            dynamic={"images": axes},
            example={"images": torch.from_numpy(samples[0])},
            metadata={"assets": {**self.assets(), LIMITS: limits_of(self._inference)}},
            tolerance={"boxes": 0.5, "scores": 1e-3},
            absolute=frozenset(("boxes",)),
            align=detections_aligned,
            foreign=self._foreign_keys(self.preprocess.canvas, None if is_fixed else STRIDE),
            translations=ONNX_TRANSLATIONS,
            multiples={} if is_fixed else {"height": STRIDE, "width": STRIDE},
        )

    def _plan_of_one_image(self) -> ExportPlan:
        """Return the plan of a trace: one image a call, on a square in which any image is as large as in training.

        The last sample is grey: nothing is found in it by a trained detector.
        """
        side = -(-self.preprocess.side // STRIDE) * STRIDE
        fixed = dataclasses.replace(self.preprocess, canvas=self.preprocess.canvas or (side, side))
        images = [image[None] for batch in export_samples(fixed, self._source) for image in batch][:SINGLE_IMAGES]
        samples = [{"images": image} for image in (*images, np.full_like(images[0], FILL))]
        assets = {**self.assets(), "preprocess": fixed.to_json(), LIMITS: limits_of(self._inference, one_image=True)}
        return single_graph(
            DetectionGraph(self._model, self.limits),
            inputs=self.inputs,
            outputs=self.outputs,
            samples=samples,
            dynamic={},
            example={"images": torch.from_numpy(images[0])},
            metadata={"assets": assets},
            exporters=("legacy",),
            tolerance={"boxes": 0.5, "scores": 1e-3, **({MASKS: 1e-2} if self.has_masks else {})},
            absolute=frozenset(("boxes",)),
            align=detections_aligned,
            foreign=self._foreign_keys(fixed.canvas, None),
        )

    def _foreign_keys(self, canvas: tuple[int, int] | None, stride: int | None) -> dict[str, str]:
        side = self.preprocess.side
        task = "segment" if self.has_masks else "detect"
        return yolo_keys(self.labels, task=task, size=canvas or (side, side), stride=stride)
