"""Metrics of object detection over all images of a split, in the images' own pixels: numpy, and hotcoco for AP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.core.files import finite
from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.answers import ImageDetections, detections_in_image
from dlcli.data.annotated.fitting import Fit
from dlcli.metrics import coco_ap, detection_errors
from dlcli.metrics.detection_checks import check_metric
from dlcli.metrics.item_scores import ItemFigure, ItemScores, rows_of_names, scores_of
from dlcli.metrics.largest import largest_figures
from dlcli.metrics.voc_ap import voc_figures

MASK_NAMES = ("mask_ap", "mask_ap50")


class DetectionMetric:
    """Collects the detections and the objects of each image, and computes their metrics.

    Crowds and difficult objects are ignored: they are not missed, and a detection that matches one counts neither way.
    A class without objects to find is left out of every mean, as COCO does.

    Memory: 56 bytes a detection (5,000 images with 100 each: 28 MB), and a run-length encoding for each mask.

    Args:
        classes: C names.
        has_masks: whether masks are measured as well as boxes.
        thresholds: C scores from which on a detection of each class is shown, for precision, recall and F1, as
            `best_thresholds` of a validation split; None for those of the measured split itself.
        finds_largest: whether to measure how well the largest object of each image is found, too.
    """

    def __init__(
        self,
        classes: Sequence[str],
        *,
        has_masks: bool = False,
        thresholds: Sequence[float] | None = None,
        finds_largest: bool = False,
    ) -> None:
        self.classes = tuple(classes)
        self.has_masks = has_masks
        self.finds_largest = finds_largest
        self.thresholds = None if thresholds is None else tuple(thresholds)
        self._images: list[tuple[AnnotatedImage, ImageDetections]] = []

    def update(self, batch: Mapping[str, Any], outputs: Mapping[str, np.ndarray]) -> None:
        """Add a batch.

        Args:
            batch: `records`, a list of N `AnnotatedImage`s, and `fits` (N, 6) integers, `Fit.numbers`.
            outputs: `boxes` (N, K, 4) in pixels of the canvas, `scores` and `labels` (N, K), `counts` (N,), and with
                masks `masks` (N, K, M, M) in [0, 1].

        Raises:
            ValueError: the shapes do not match, masks are missing, or a label is out of range.
        """
        records, fits = list(batch["records"]), np.asarray(batch["fits"])
        if fits.shape != (len(records), 6) or len(outputs["counts"]) != len(records):
            raise ValueError(f"{len(records)} records, fits {fits.shape} and {len(outputs['counts'])} counts")
        wanted = ["boxes", "scores", "labels", "counts", *(["masks"] if self.has_masks else [])]
        if missing := [name for name in wanted if name not in outputs]:
            raise ValueError(f"outputs without {', '.join(missing)}")
        of_interest = {name: outputs[name] for name in wanted}
        for row, record in enumerate(records):
            found = detections_in_image(of_interest, row, Fit.from_numbers(fits[row]))
            self._check_labels(found.labels)
            self._images.append((record, found))

    @property
    def _sorted(self) -> list[tuple[AnnotatedImage, ImageDetections]]:
        """The images by name: equal scores count in the order of their images, which processes may see in any order."""
        return sorted(self._images, key=lambda image: image[0].file)

    @property
    def _records(self) -> list[AnnotatedImage]:
        return [record for record, _ in self._sorted]

    @property
    def _found(self) -> list[ImageDetections]:
        return [found for _, found in self._sorted]

    def merge(self, other: DetectionMetric) -> None:
        """Append all images of another metric.

        Thresholds that differ, as those of the networks of a cross-validation do, become their mean over images: it is
        chosen on none of the images that are measured.

        Raises:
            ValueError: the metrics differ in their classes, or in whether they have masks or thresholds.
        """
        ours, theirs = self.thresholds, other.thresholds
        if (other.classes, other.has_masks, theirs is None) != (self.classes, self.has_masks, ours is None):
            raise ValueError("cannot merge metrics of different classes, or with and without masks or thresholds")
        if ours is not None and theirs is not None and ours != theirs:
            counts = np.array([len(self._images), len(other._images)])
            weights = counts if counts.any() else None
            self.thresholds = tuple(np.average([ours, theirs], axis=0, weights=weights).tolist())
        self._images += other._images

    def compute(self) -> dict[str, float]:
        """Return `ap` (IoU 0.5 to 0.95), `ap50`, `ap75`, with masks `mask_ap` and `mask_ap50`; NaN if undefined.

        Each is COCO's mean over classes, with at most 100 detections of a class in an image. With `finds_largest` there
        are also `largest.LARGEST_NAMES`.
        """
        means = _means(self._class_figures(masks=False), ("ap", "ap50", "ap75"))
        return means | _means(self._mask_figures(), MASK_NAMES) | self._largest_figures()

    def best_thresholds(self) -> np.ndarray:
        """Return the score from which on each class has its best F1 at IoU 0.5, (C,); NaN for a class without a hit."""
        return detection_errors.best_thresholds(self._outcomes()[1])

    def report(self) -> dict[str, Any]:
        """Return the full report as JSON values; undefined values are None.

        - `metrics`: those of `compute`, `ar100` (mean recall over COCO's thresholds), `ap_small`, `ap_medium` and
          `ap_large`, `voc07` and `voc10` (means over classes, IoU 0.5), and `precision`, `recall`, `f1` of all
          classes together at their thresholds;
        - `ap50_interval`: [low, high], in which AP50 lies for 95 % of resampled sets of images;
        - `per_class`: name, ap, ap50, ap75, ar100, voc07, voc10 (mask_ap, mask_ap50), and at its threshold objects,
          found, precision, recall, f1;
        - `by_size`: COCO's small, medium and large: name, objects, ap, ar100;
        - `pr`: of each class the `precision` at recalls 0, 0.01, ..., 1 (IoU 0.5), None without objects;
        - `errors`: TIDE's kinds; `worst`: the images with most errors at the threshold; see `detection_errors`;
        - `checks`: `passed`, and the `faults` of the metric itself; see `detection_checks`;
        - `num_images`, `num_objects` (those that count), `num_detections`.
        """
        count = len(self.classes)
        overall = coco_ap.evaluate(self._records, self._found, count, areas=tuple(coco_ap.AREAS))
        at_half, outcomes = self._outcomes()
        own = detection_errors.best_thresholds(outcomes)
        thresholds = own if self.thresholds is None else np.array(self.thresholds, np.float64)
        by_size = _by_size(overall, self._records)
        figures = coco_ap.class_figures(overall) | voc_figures(self._records, self._found, count)._asdict()
        figures |= self._mask_figures()
        metrics: dict[str, float | None] = {**_means(figures, tuple(figures))}
        metrics |= {f"ap_{row['name']}": row["ap"] for row in by_size}
        metrics |= detection_errors.figures_at(outcomes, thresholds)
        metrics |= self._largest_figures()
        faults = check_metric(self._records, self.classes)
        everything = {
            "metrics": metrics,
            "lower_is_better": [],
            "ap50_interval": detection_errors.bootstrap_ap50(outcomes),
            "per_class": self._per_class(figures, detection_errors.classes_at(outcomes, thresholds)),
            "by_size": by_size,
            "pr": _curves(coco_ap.precision_curves(overall)),
            "errors": detection_errors.tide_errors(at_half),
            "worst": detection_errors.worst_images(outcomes, thresholds, self._records),
            "checks": {"passed": not faults, "faults": faults},
            "num_images": len(self._records),
            "num_objects": len(outcomes.object_labels),
            "num_detections": sum(len(each.scores) for each in self._found),
        }
        return {name: finite(value) for name, value in everything.items()}

    def item_scores(self) -> ItemScores:
        """Return what resampling needs of each image: `f1` at the thresholds, since AP is no sum over images."""
        records = self._records
        _, outcomes = self._outcomes()
        own = self.thresholds if self.thresholds is not None else detection_errors.best_thresholds(outcomes)
        counts = detection_errors.counts_of_images(outcomes, np.array(own, np.float64))
        figures = {"f1": ItemFigure(counts, "f1", is_share=True)}
        truths = [f"{record.file} {objects}" for record, objects in zip(records, counts[:, 2].tolist(), strict=True)]
        return scores_of(rows_of_names([record.file for record in records]), truths, figures, names_items=True)

    def _outcomes(self) -> tuple[Any, detection_errors.Outcomes]:
        """Return COCO's evaluation at an IoU of 0.5, and its outcomes."""
        count = len(self.classes)
        at_half = coco_ap.evaluate(self._records, self._found, count, ious=(0.5,))
        return at_half, detection_errors.outcomes_of(at_half, len(self._records), count)

    def _class_figures(self, *, masks: bool) -> dict[str, np.ndarray]:
        evaluation = coco_ap.evaluate(self._records, self._found, len(self.classes), masks=masks)
        return coco_ap.class_figures(evaluation)

    def _mask_figures(self) -> dict[str, np.ndarray]:
        """Return `MASK_NAMES` of each class; nothing without masks."""
        if not self.has_masks:
            return {}
        figures = self._class_figures(masks=True)
        return {name: figures[name.removeprefix("mask_")] for name in MASK_NAMES}

    def _largest_figures(self) -> dict[str, float]:
        return largest_figures(self._records, self._found) if self.finds_largest else {}

    def _per_class(
        self, figures: Mapping[str, np.ndarray], at_threshold: Sequence[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                **{column: float(values[label]) for column, values in figures.items()},
                **at_threshold[label],
            }
            for label, name in enumerate(self.classes)
        ]

    def _check_labels(self, labels: np.ndarray) -> None:
        if labels.size and not (labels.min() >= 0 and labels.max() < len(self.classes)):
            raise ValueError(f"labels from {labels.min()} to {labels.max()} for {len(self.classes)} classes")


def _means(figures: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, float]:
    return {name: coco_ap.mean_over_classes(figures[name]) for name in names if name in figures}


def _by_size(overall: Any, records: Sequence[AnnotatedImage]) -> list[dict[str, Any]]:
    areas = np.array(
        [each.area for record in records for each in record.objects if not (each.is_crowd or each.is_difficult)]
    )
    rows: list[dict[str, Any]] = []
    for index, (name, (smallest, largest)) in enumerate(coco_ap.AREAS.items()):
        if name == "all":
            continue
        figures = coco_ap.class_figures(overall, index)
        rows.append(
            {
                "name": name,
                "objects": int(((areas >= smallest) & (areas <= largest)).sum()),
                "ap": coco_ap.mean_over_classes(figures["ap"]),
                "ar100": coco_ap.mean_over_classes(figures["ar100"]),
            }
        )
    return rows


def _curves(precision: np.ndarray) -> list[list[float] | None]:
    return [None if row[0] < 0 else [round(value, 5) for value in row.tolist()] for row in precision]
