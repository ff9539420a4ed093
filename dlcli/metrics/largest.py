"""How well the largest object of each image is found, for detectors that find no other. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.answers import ImageDetections

LARGEST_NAMES = ("class_accuracy", "box_iou")


def largest_figures(records: Sequence[AnnotatedImage], found: Sequence[ImageDetections]) -> dict[str, float]:
    """Return `LARGEST_NAMES`, means over the images with an object that counts; NaN without one.

    Compared are the most probable detection and the object with the largest box. An image in which nothing is found
    has the wrong class and an overlap of 0.
    """
    hits, overlaps = [], []
    for record, answer in zip(records, found, strict=True):
        objects = [each for each in record.objects if not (each.is_crowd or each.is_difficult)]
        if objects:
            largest = max(objects, key=_box_area)
            hits.append(len(answer.labels) > 0 and int(answer.labels[0]) == largest.label)
            overlaps.append(_iou(answer.boxes[0], np.array(largest.box)) if len(answer.boxes) else 0.0)
    values = (float(np.mean(each)) if each else math.nan for each in (hits, overlaps))
    return dict(zip(LARGEST_NAMES, values, strict=True))


def _box_area(each: Annotation) -> float:
    left, top, right, bottom = each.box
    return (right - left) * (bottom - top)


def _iou(first: np.ndarray, second: np.ndarray) -> float:
    """Return the intersection over union of two xyxy boxes."""
    sides = np.clip(np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]), 0, None)
    areas = [np.prod(box[2:] - box[:2]) for box in (first, second)]
    return float(np.prod(sides) / (sum(areas) - np.prod(sides)))
