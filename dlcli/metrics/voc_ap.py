"""Pascal VOC's average precision at an IoU of 0.5: over 11 points (2007) and over all points (from 2010).

Source: the VOC development kits, VOCcode/VOCevaldet.m and VOCap.m (http://host.robots.ox.ac.uk/pascal/VOC): each
detection, by falling score, belongs to the object of its class that it overlaps most, at least by 0.5. It is a hit if
it is the first one there and a false positive if not; one that belongs to a difficult object counts neither way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.answers import ImageDetections

MIN_OVERLAP = 0.5
HIT, FALSE, IGNORED = 1, 0, -1


class VocFigures(NamedTuple):
    """Average precision of each class, (C,) float64 with NaN for a class without objects."""

    voc07: np.ndarray
    voc10: np.ndarray


def voc_figures(records: Sequence[AnnotatedImage], found: Sequence[ImageDetections], num_classes: int) -> VocFigures:
    """Return both kinds of average precision of each class; crowds are ignored as difficult objects are."""
    kinds = np.concatenate(
        [np.empty(0, np.int8), *(voc_matches(each, record) for each, record in zip(found, records, strict=True))]
    )
    scores = np.concatenate([np.empty(0), *(each.scores for each in found)])
    labels = np.concatenate([np.empty(0, np.int64), *(each.labels for each in found)])
    counted = [each.label for record in records for each in record.objects if not (each.is_difficult or each.is_crowd)]
    objects = np.bincount(np.array(counted, np.int64), minlength=num_classes)
    figures = VocFigures(np.full(num_classes, np.nan), np.full(num_classes, np.nan))
    for label in np.flatnonzero(objects).tolist():
        of_class = np.flatnonzero((labels == label) & (kinds != IGNORED))
        ranked = of_class[np.argsort(-scores[of_class], kind="stable")]
        is_hit = kinds[ranked] == HIT
        figures.voc07[label] = eleven_point_ap(is_hit, int(objects[label]))
        figures.voc10[label] = all_point_ap(is_hit, int(objects[label]))
    return figures


def voc_matches(found: ImageDetections, record: AnnotatedImage) -> np.ndarray:
    """Return for each detection of an image whether it is a `HIT`, `FALSE` or `IGNORED`, (K,) int8.

    The script knows no crowds: a false positive that lies in one, at least by half, is ignored.
    """
    from hotcoco.primitives import bbox_iou

    kinds = np.full(len(found.scores), FALSE, np.int8)
    if not (len(found.scores) and record.objects):
        return kinds
    boxes = np.array([each.box for each in record.objects], np.float64)
    is_crowd = np.array([each.is_crowd for each in record.objects])
    overlaps = bbox_iou(_xywh(found.boxes), _xywh(boxes), is_crowd)
    overlaps[found.labels[:, None] != np.array([each.label for each in record.objects])] = -1
    of_objects = np.where(is_crowd, -1, overlaps)
    best = of_objects.argmax(axis=1)
    belongs = of_objects.max(axis=1) >= MIN_OVERLAP
    is_difficult = np.array([each.is_difficult for each in record.objects])
    kinds[belongs & is_difficult[best]] = IGNORED
    kinds[~belongs & (np.where(is_crowd, overlaps, -1).max(axis=1) >= MIN_OVERLAP)] = IGNORED
    claims = np.flatnonzero(belongs & ~is_difficult[best])
    ranked = claims[np.argsort(-found.scores[claims], kind="stable")]
    _, first = np.unique(best[ranked], return_index=True)
    kinds[ranked[first]] = HIT
    return kinds


def eleven_point_ap(is_hit: np.ndarray, objects: int) -> float:
    """Return the mean of the highest precisions at recalls of at least 0, 0.1, ..., 1.

    Args:
        is_hit: (D,) bool by falling score.
        objects: how many there are to find, at least 1.
    """
    hits = np.cumsum(is_hit)
    precision = hits / np.arange(1, len(hits) + 1)
    # Recalls are compared as fractions: 3 of 10 are 0.3, which is less than 3 * 0.1 in floating point.
    points = [precision[hits * 10 >= tenths * objects] for tenths in range(11)]
    return float(sum(point.max(initial=0) for point in points) / 11)


def all_point_ap(is_hit: np.ndarray, objects: int) -> float:
    """Return the area under the precision, made monotone, over recall; see `eleven_point_ap`."""
    precision = np.cumsum(is_hit) / np.arange(1, len(is_hit) + 1)
    highest_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float(highest_from_here[is_hit].sum() / objects)


def _xywh(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
