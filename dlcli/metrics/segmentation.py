"""Metrics of semantic segmentation over all pixels of a split: numpy only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.core.files import finite
from dlcli.metrics.item_scores import ItemFigure


class SegmentationMetric:
    """Counts pixels by true and predicted class, and computes their metrics.

    Every metric is over all pixels of all images, as in Pascal VOC and mmsegmentation, never a mean over images, so a
    large image counts for more than a small one.

    Memory: one matrix of C x C counts, and for each image three counts of each class.

    Args:
        classes: C names in the order of a label map's values; the first one is "background".
        ignore_index: the value of pixels in the truth that are not measured.
    """

    def __init__(self, classes: Sequence[str], ignore_index: int = 255) -> None:
        self.classes = tuple(classes)
        self.ignore_index = ignore_index
        self.num_images = 0
        self._confusion = np.zeros((len(self.classes), len(self.classes)), np.int64)
        self._images: list[np.ndarray] = []

    def update(self, batch: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Add a batch.

        Args:
            batch: `label_maps`, the truth: (N, H, W) uint8 or a list of N arrays (H, W) of any sizes.
            outputs: `label_map`, the answers, of the same sizes.

        Raises:
            ValueError: the shapes do not match, or a value is no class.
        """
        truths, answers = batch["label_maps"], outputs["label_map"]
        if len(truths) != len(answers):
            raise ValueError(f"{len(truths)} label maps and {len(answers)} answers")
        for truth, answer in zip(truths, answers, strict=True):
            counts = self._counts(np.asarray(truth), np.asarray(answer))
            self._confusion += counts
            self._images.append(np.concatenate([counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)]))
            self.num_images += 1

    def merge(self, other: SegmentationMetric) -> None:
        """Add the pixels of another metric.

        Raises:
            ValueError: the metrics differ in their classes or in what they ignore.
        """
        if (other.classes, other.ignore_index) != (self.classes, self.ignore_index):
            raise ValueError("cannot merge metrics of different classes or ignored values")
        self._confusion += other._confusion
        self._images += other._images
        self.num_images += other.num_images

    def item_figure(self) -> ItemFigure:
        """Return `miou` with the pixels of each image that are right, predicted and true of each class, in order."""
        counts = np.stack(self._images) if self._images else np.zeros((0, 3 * len(self.classes)))
        return ItemFigure(counts, "mean_iou", is_share=True)

    def compute(self) -> dict[str, float]:
        """Return the values over all pixels; NaN if there are none.

        - `miou`: the mean IoU over classes; one without a pixel in truth and answers is left out;
        - `pixel_accuracy`: the share of pixels that are right;
        - `mean_accuracy`: the mean share of a class's pixels that are right, over classes with pixels in the truth;
        - `fw_iou`: the mean IoU weighted by the pixels of the truth;
        - `dice`: the mean Dice coefficient, 2 * IoU / (1 + IoU) of each class, over the classes of `miou`.
        """
        figures = self._class_figures()
        pixels = self._confusion.sum(axis=1)
        total = int(pixels.sum())
        weighted = np.nansum(figures["iou"] * pixels) / total if total else math.nan
        return {
            "miou": _mean(figures["iou"]),
            "pixel_accuracy": float(self._confusion.trace() / total) if total else math.nan,
            "mean_accuracy": _mean(figures["accuracy"]),
            "fw_iou": float(weighted),
            "dice": _mean(figures["dice"]),
        }

    def report(self) -> dict[str, Any]:
        """Return the full report as JSON values; undefined values are None.

        - `metrics`: those of `compute`;
        - `per_class`: name, iou, accuracy, dice, `pixels` in the truth, `predicted` pixels, share of all `pixels`;
        - `confusion`: (C, C) counts of pixels, rows true, columns predicted;
        - `num_images`, `num_pixels` (those that are measured).
        """
        figures = self._class_figures()
        pixels, predicted = self._confusion.sum(axis=1), self._confusion.sum(axis=0)
        total = int(pixels.sum())
        per_class = [
            {
                "name": name,
                **{column: float(values[label]) for column, values in figures.items()},
                "pixels": int(pixels[label]),
                "predicted": int(predicted[label]),
                "share": float(pixels[label] / total) if total else None,
            }
            for label, name in enumerate(self.classes)
        ]
        everything = {
            "metrics": self.compute(),
            "lower_is_better": [],
            "per_class": per_class,
            "confusion": self._confusion.tolist(),
            "num_images": self.num_images,
            "num_pixels": total,
        }
        return {name: finite(value) for name, value in everything.items()}

    def _counts(self, truth: np.ndarray, answer: np.ndarray) -> np.ndarray:
        count = len(self.classes)
        if truth.shape != answer.shape or truth.ndim != 2:
            raise ValueError(f"a label map {truth.shape} and an answer {answer.shape}")
        is_measured = truth != self.ignore_index
        true, predicted = truth[is_measured].astype(np.int64), answer[is_measured].astype(np.int64)
        for name, values in (("a label map", true), ("an answer", predicted)):
            if values.size and not (values.min() >= 0 and values.max() < count):
                raise ValueError(f"{name} with values from {values.min()} to {values.max()} for {count} classes")
        return np.bincount(true * count + predicted, minlength=count**2).reshape(count, count)

    def _class_figures(self) -> dict[str, np.ndarray]:
        """Return `iou`, `accuracy` and `dice` of each class, (C,) float64, NaN where there are no pixels."""
        hits = self._confusion.diagonal()
        true, predicted = self._confusion.sum(axis=1), self._confusion.sum(axis=0)
        return {
            "iou": _ratio(hits, true + predicted - hits),
            "accuracy": _ratio(hits, true),
            "dice": _ratio(2 * hits, true + predicted),
        }


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.where(below > 0, above / np.maximum(below, 1), np.nan)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan
