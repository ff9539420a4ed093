"""What a detector's errors are: at which threshold, of which kind, in which images, and how sure its AP50 is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcli.data.annotated.annotation import AnnotatedImage

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


def best_threshold(outcomes: Outcomes) -> dict[str, float | None]:
    """Return the `score` from which on all classes together have the best F1, with `precision`, `recall` and `f1`.

    All are None where there is no hit at any score. Of equal ones the highest score is chosen.
    """
    hits = np.cumsum(outcomes.is_hit)
    if not len(hits) or not hits[-1]:
        return dict.fromkeys(("score", "precision", "recall", "f1"))
    found, objects = np.arange(1, len(hits) + 1), len(outcomes.object_labels)
    f1 = 2 * hits / (found + objects)
    f1[:-1][outcomes.scores[:-1] == outcomes.scores[1:]] = -1  # equal scores are all above a threshold, or none
    best = int(f1.argmax())
    return {
        "score": float(outcomes.scores[best]),
        "precision": float(hits[best] / found[best]),
        "recall": float(hits[best] / objects),
        "f1": float(f1[best]),
    }


def figures_at(outcomes: Outcomes, score: float) -> dict[str, float | None]:
    """Return `score`, and `precision`, `recall` and `f1` of all classes together from it on; None if undefined."""
    found, objects = int((outcomes.scores >= score).sum()), len(outcomes.object_labels)
    hits = int(outcomes.is_hit[:found].sum())
    return {
        "score": score,
        "precision": hits / found if found else None,
        "recall": hits / objects if objects else None,
        "f1": 2 * hits / (found + objects) if objects else None,
    }


def classes_at(outcomes: Outcomes, score: float | None) -> list[dict[str, Any]]:
    """Return `objects`, `found`, `precision`, `recall` and `f1` of each class at a threshold; None if undefined."""
    above = outcomes.scores >= (math.inf if score is None else score)
    found = np.bincount(outcomes.labels[above], minlength=outcomes.num_classes).tolist()
    hits = np.bincount(outcomes.labels[above & outcomes.is_hit], minlength=outcomes.num_classes).tolist()
    objects = np.bincount(outcomes.object_labels, minlength=outcomes.num_classes).tolist()
    return [
        {
            "objects": there,
            "found": seen,
            "precision": hit / seen if seen else None,
            "recall": hit / there if there else None,
            "f1": 2 * hit / (seen + there) if there else None,
        }
        for hit, seen, there in zip(hits, found, objects, strict=True)
    ]


def worst_images(
    outcomes: Outcomes, score: float | None, records: Sequence[AnnotatedImage], most: int = 20
) -> list[dict[str, Any]]:
    """Return `index`, `file`, `missed` and `false` of the images with most errors at a threshold, the worst first."""
    above = outcomes.scores >= (math.inf if score is None else score)
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
