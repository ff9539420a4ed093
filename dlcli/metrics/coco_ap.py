"""COCO's average precision, by hotcoco, which computes what pycocotools computes.

Source: https://github.com/cocodataset/cocoapi, PythonAPI/pycocotools/cocoeval.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation, Segmentation
from dlcli.data.annotated.answers import ImageDetections

MAX_DETECTIONS = 100
"""Detections of one class in one image that are measured."""

AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Ranges of an object's area in square pixels."""

IOUS = tuple((50 + 5 * step) / 100 for step in range(10))

_OUTSIDE = 2e10
"""An area outside every range. The official script ignores such an object (a detection that matches it counts neither
way), whereas the field `ignore`, which should do so, is overwritten there."""


def evaluate(
    records: Sequence[AnnotatedImage],
    found: Sequence[ImageDetections],
    num_classes: int,
    *,
    masks: bool = False,
    areas: Sequence[str] = ("all",),
    ious: Sequence[float] = IOUS,
) -> Any:
    """Return a `hotcoco.COCOeval` that has matched and accumulated.

    Its image ids are positions in `records` plus 1, its category ids class indices plus 1 (the official script takes
    an id of 0 for "none"). Crowds and difficult objects are ignored; a crowd absorbs any number of detections.

    Args:
        records: N images.
        found: their detections.
        num_classes: C.
        masks: whether overlaps are those of masks.
        areas: names in `AREAS`.
        ious: thresholds.
    """
    import hotcoco

    truth = _truth(records, num_classes, masks)
    answers = truth.load_res(
        _rows(found), segmentation=[mask for each in found for mask in each.masks or ()] if masks else None
    )
    evaluation = hotcoco.COCOeval(truth, answers, "segm" if masks else "bbox")
    params = evaluation.params
    params.iou_thrs = list(ious)
    params.area_rng = [list(AREAS[name]) for name in areas]
    params.area_rng_lbl = list(areas)
    params.max_dets = [MAX_DETECTIONS]
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def class_figures(evaluation: Any, area: int = 0) -> dict[str, np.ndarray]:
    """Return `ap`, `ap50`, `ap75` and `ar100` of each class, (C,) float64 with NaN for a class without objects.

    Args:
        evaluation: of `evaluate` with all of `IOUS`.
        area: index among its areas.
    """
    precision = np.asarray(evaluation.eval["precision"])[:, :, :, area, 0].mean(axis=1)
    recall = np.asarray(evaluation.eval["recall"])[:, :, area, 0]
    figures = {"ap": precision.mean(axis=0), "ap50": precision[0], "ap75": precision[5], "ar100": recall.mean(axis=0)}
    return {name: np.where(values < 0, np.nan, values) for name, values in figures.items()}


def mean_over_classes(values: np.ndarray) -> float:
    """Return the mean without NaN; NaN if there is nothing else."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def precision_curves(evaluation: Any) -> np.ndarray:
    """Return precision at the first threshold for recalls 0, 0.01, ..., 1, (C, 101); -1 for a class without objects."""
    return np.asarray(evaluation.eval["precision"])[0, :, :, 0, 0].T


def _truth(records: Sequence[AnnotatedImage], num_classes: int, masks: bool) -> Any:
    import hotcoco

    objects = [(index + 1, each) for index, record in enumerate(records) for each in record.objects]
    boxes = np.array([each.box for _, each in objects], np.float64).reshape(-1, 4)
    areas = [_OUTSIDE if each.is_difficult and not each.is_crowd else each.area for _, each in objects]
    return hotcoco.COCO.from_arrays(
        [{"id": i + 1, "width": each.width, "height": each.height} for i, each in enumerate(records)],
        [{"id": label + 1, "name": str(label)} for label in range(num_classes)],
        np.array([image for image, _ in objects], np.int64),
        np.array([each.label + 1 for _, each in objects], np.int64),
        np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1),
        area=np.array(areas, np.float64),
        iscrowd=np.array([each.is_crowd for _, each in objects], bool),
        segmentation=[_mask_of(each) for _, each in objects] if masks else None,
    )


def _mask_of(each: Annotation) -> Segmentation:
    if each.segmentation is not None:
        return each.segmentation
    left, top, right, bottom = each.box
    return [[left, top, right, top, right, bottom, left, bottom]]


def _rows(found: Sequence[ImageDetections]) -> np.ndarray:
    """Return all detections as (D, 7) float64: image id, left, top, width, height, score, category id."""
    rows = [np.empty((0, 7))]
    for index, each in enumerate(found):
        sides = each.boxes[:, 2:] - each.boxes[:, :2]
        image = np.full(len(each.scores), index + 1.0)
        rows.append(np.column_stack([image, each.boxes[:, :2], sides, each.scores, each.labels + 1.0]))
    return np.concatenate(rows)
