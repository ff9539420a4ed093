"""What a detector's errors are: at which threshold, of which kind, in which images, and how sure its AP50 is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.metrics.threshold_curves import FEWEST_FOR_OWN

RESAMPLES = 200
RECALLS = np.linspace(0, 1, 101)
"""COCO's recall thresholds."""

KINDS = {
    "Cls": "class",
    "Loc": "localisation",
    "Both": "both",
    "Dupe": "duplicate",
    "Bkg": "background",
    "Miss": "missed",
}
"""hotcoco's names of TIDE's errors, and ours."""


@dataclass(frozen=True)
class Outcomes:
    """Detections that count, by falling score, and the objects to find; D detections, G objects.

    Attributes:
        images, labels: (D,) int64 positions of the image and class indices.
        scores: (D,) float64.
        is_hit: (D,) bool.
        object_images, object_labels: (G,) int64.
        num_images, num_classes: N and C.
    """

    images: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    is_hit: np.ndarray
    object_images: np.ndarray
    object_labels: np.ndarray
    num_images: int
    num_classes: int


def outcomes_of(evaluation: Any, num_images: int, num_classes: int) -> Outcomes:
    """Return how COCO's matching at one threshold ends, without what it ignores.

    Args:
        evaluation: of `coco_ap.evaluate` with one IoU threshold and one range of areas.
        num_images: N.
        num_classes: C.
    """
    columns: list[list[np.ndarray]] = [[], [], [], []]
    objects: list[tuple[int, int, int]] = []
    for each in evaluation.eval_imgs:
        if each is None:
            continue
        image, label = each["image_id"] - 1, each["category_id"] - 1
        counts = ~np.array(each["dtIgnore"][0], bool)
        scores = np.array(each["dtScores"], np.float64)[counts]
        for column, values in zip(
            columns,
            (np.full(len(scores), image), np.full(len(scores), label), scores, np.array(each["dtMatched"][0])[counts]),
            strict=True,
        ):
            column.append(values)
        objects.append((image, label, len(each["gtIgnore"]) - sum(each["gtIgnore"])))
    images, labels, scores, is_hit = (np.concatenate([np.empty(0), *column]) for column in columns)
    order = np.lexsort((images, -scores))
    where = np.array(objects, np.int64).reshape(-1, 3)
    return Outcomes(
        images=images[order].astype(np.int64),
        labels=labels[order].astype(np.int64),
        scores=scores[order],
        is_hit=is_hit[order].astype(bool),
        object_images=np.repeat(where[:, 0], where[:, 2]),
        object_labels=np.repeat(where[:, 1], where[:, 2]),
        num_images=num_images,
        num_classes=num_classes,
    )


def best_thresholds(outcomes: Outcomes) -> np.ndarray:
    """Return the score from which on each class has its best F1, (C,) float64; NaN where there is no hit.

    Classes differ in how sure a network can be of them: one score for all would leave out whole classes. Only those
    with fewer than `FEWEST_FOR_OWN` objects share one, the best for all of them together. Of equally good scores the
    highest is chosen. A threshold lies halfway to the next score below, so that another device's rounding changes
    nothing.
    """
    objects = np.bincount(outcomes.object_labels, minlength=outcomes.num_classes)
    is_rare = objects < FEWEST_FOR_OWN
    shared = _best_threshold(outcomes, is_rare[outcomes.labels], int(objects[is_rare].sum()))
    own = [_best_threshold(outcomes, outcomes.labels == label, count) for label, count in enumerate(objects.tolist())]
    return np.where(is_rare, shared, own)


def _best_threshold(outcomes: Outcomes, chosen: np.ndarray, num_objects: int) -> float:
    """Return the score from which on the chosen detections, (D,) bool, have their best F1; NaN without a hit."""
    scores, hits = outcomes.scores[chosen], np.cumsum(outcomes.is_hit[chosen])
    if not len(hits) or not hits[-1]:
        return math.nan
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + num_objects)
    f1[:-1][scores[:-1] == scores[1:]] = -1  # equal scores are all above a threshold, or none
    best = int(f1.argmax())
    lower = scores[best:][scores[best:] < scores[best]]
    return float((scores[best] + (lower[0] if len(lower) else 0)) / 2)


def is_shown(outcomes: Outcomes, thresholds: np.ndarray) -> np.ndarray:
    """Return which detections reach the threshold of their class, (D,) bool; none does where it is NaN.

    Args:
        outcomes: the detections.
        thresholds: (C,).
    """
    shown: np.ndarray = outcomes.scores >= np.where(np.isnan(thresholds), np.inf, thresholds)[outcomes.labels]
    return shown


def figures_at(outcomes: Outcomes, thresholds: np.ndarray) -> dict[str, float | None]:
    """Return `precision`, `recall` and `f1` of all classes together at their thresholds, (C,); None if undefined."""
    shown = is_shown(outcomes, thresholds)
    return _figures(int((shown & outcomes.is_hit).sum()), int(shown.sum()), len(outcomes.object_labels))


def counts_of_images(outcomes: Outcomes, thresholds: np.ndarray) -> np.ndarray:
    """Return the hits, the shown detections and the objects of each image at the thresholds, (N, 3) int64."""
    shown = is_shown(outcomes, thresholds)
    parts = (outcomes.images[shown & outcomes.is_hit], outcomes.images[shown], outcomes.object_images)
    return np.stack([np.bincount(part, minlength=outcomes.num_images) for part in parts], axis=1)


def classes_at(outcomes: Outcomes, thresholds: np.ndarray) -> list[dict[str, Any]]:
    """Return `objects`, `threshold`, `found`, `precision`, `recall` and `f1` of each class; None if undefined."""
    above = is_shown(outcomes, thresholds)
    found = np.bincount(outcomes.labels[above], minlength=outcomes.num_classes).tolist()
    hits = np.bincount(outcomes.labels[above & outcomes.is_hit], minlength=outcomes.num_classes).tolist()
    objects = np.bincount(outcomes.object_labels, minlength=outcomes.num_classes).tolist()
    return [
        {"objects": there, "threshold": threshold, "found": seen, **_figures(hit, seen, there)}
        for hit, seen, there, threshold in zip(hits, found, objects, thresholds.tolist(), strict=True)
    ]


def _figures(hits: int, found: int, objects: int) -> dict[str, float | None]:
    return {
        "precision": hits / found if found else None,
        "recall": hits / objects if objects else None,
        "f1": 2 * hits / (found + objects) if objects else None,
    }


def worst_images(
    outcomes: Outcomes, thresholds: np.ndarray, records: Sequence[AnnotatedImage], most: int = 20
) -> list[dict[str, Any]]:
    """Return `index`, `file`, `missed` and `false` of the images with most errors at thresholds, the worst first."""
    above = is_shown(outcomes, thresholds)
    false = np.bincount(outcomes.images[above & ~outcomes.is_hit], minlength=outcomes.num_images)
    hits = np.bincount(outcomes.images[above & outcomes.is_hit], minlength=outcomes.num_images)
    missed = np.bincount(outcomes.object_images, minlength=outcomes.num_images) - hits
    order = np.argsort(-(missed + false), kind="stable")[:most]
    return [
        {"index": i, "file": records[i].file, "missed": int(missed[i]), "false": int(false[i])}
        for i in order.tolist()
        if missed[i] + false[i]
    ]


def tide_errors(evaluation: Any) -> list[dict[str, Any]]:
    """Return TIDE's kinds of errors: `kind`, `count`, and `delta_ap50`, what AP50 would gain without them.

    A detection is measured at any score. Source: Bolya et al. 2020 (arXiv:2008.08115), by hotcoco.

    Args:
        evaluation: of `coco_ap.evaluate` with the IoU threshold 0.5.
    """
    errors = evaluation.tide_errors(pos_thr=0.5, bg_thr=0.1)
    return [
        {"kind": kind, "count": int(errors["counts"][name]), "delta_ap50": float(errors["delta_ap"][name])}
        for name, kind in KINDS.items()
    ]


def bootstrap_ap50(outcomes: Outcomes, resamples: int = RESAMPLES, seed: int = 0) -> list[float] | None:
    """Return the 2.5th and 97.5th percentile of AP50 over images drawn with replacement; None for fewer than two.

    Matches within an image do not depend on the other images, so a resample only changes how often each counts.
    """
    if outcomes.num_images < 2 or not len(outcomes.object_labels):
        return None
    rng = np.random.default_rng(seed)
    n = outcomes.num_images
    draws = [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(resamples)]
    values = weighted_ap50(outcomes, np.array(draws))
    values = values[~np.isnan(values)]
    return [float(value) for value in np.percentile(values, [2.5, 97.5])] if len(values) else None


def weighted_ap50(outcomes: Outcomes, weights: np.ndarray) -> np.ndarray:
    """Return AP50 over all classes where each image counts as often as its weight says, (B,) for weights (B, N)."""
    total, classes = np.zeros(len(weights)), np.zeros(len(weights))
    for label in range(outcomes.num_classes):
        objects = weights[:, outcomes.object_images[outcomes.object_labels == label]].sum(axis=1)
        of_class = outcomes.labels == label
        images, is_hit = outcomes.images[of_class], outcomes.is_hit[of_class]
        for row in np.flatnonzero(objects).tolist():
            counts = weights[row, images]
            total[row] += _interpolated_ap(counts, is_hit, int(objects[row]))
        classes += objects > 0
    return np.where(classes > 0, total / np.maximum(classes, 1), np.nan)


def _interpolated_ap(counts: np.ndarray, is_hit: np.ndarray, objects: int) -> float:
    """Return COCO's average precision over 101 recalls of ranked detections, each of which stands `counts` times."""
    hits, found = np.cumsum(counts * is_hit), np.cumsum(counts)
    precision = hits / np.maximum(found, 1)
    highest_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    first = np.searchsorted(hits / objects, RECALLS, side="left")
    return float(highest_from_here[first[first < len(hits)]].sum() / len(RECALLS))
