"""Metrics of multi-label classification over all samples of a split: numpy only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from dlcli.core.files import finite
from dlcli.metrics.item_scores import ItemFigure, ItemScores, scores_of
from dlcli.metrics.members import MEMBERS, MemberFigures
from dlcli.metrics.threshold_curves import FEWEST_FOR_OWN

DEFAULT_THRESHOLD = 0.5


class MultilabelMetric:
    """Collects logits and targets, of which any number may be 1, and computes their metrics.

    A logit that is NaN makes the loss NaN, and counts as the least probable of all.

    Memory: 5 bytes per logit (10,000 samples of 80 classes: 4 MB).

    Args:
        classes: C names.
        thresholds: probability from which on each class is predicted, (C,), as `thresholds` of a metric of the
            validation split returns it; None for 0.5.
    """

    def __init__(self, classes: Sequence[str], thresholds: Sequence[float] | None = None) -> None:
        self.classes = tuple(classes)
        self.used_thresholds = np.full(len(self.classes), DEFAULT_THRESHOLD)
        if thresholds is not None:
            if len(thresholds) != len(self.classes):
                raise ValueError(f"{len(thresholds)} thresholds for {len(self.classes)} classes")
            self.used_thresholds = np.asarray(thresholds, np.float64)
        self._members = MemberFigures(partial(MultilabelMetric, self.classes), "logits", "map")
        self._logits: list[np.ndarray] = []
        self._targets: list[np.ndarray] = []
        self._rows: list[np.ndarray] = []

    def update(self, batch: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]) -> None:
        """Add a batch.

        Args:
            batch: `targets` (N, C) of 0 and 1, and for scores of items `rows` (N,), their numbers in the split.
            outputs: `logits` (N, C) real numbers, or those of an ensemble's `MEMBERS`, (N, M, C).

        Raises:
            ValueError: the shapes do not match, or a target is neither 0 nor 1.
        """
        if MEMBERS in outputs:
            self._members.update(batch, outputs[MEMBERS])
            return
        logits, targets = outputs["logits"], batch["targets"]
        if logits.shape != targets.shape or logits.ndim != 2 or logits.shape[1] != len(self.classes):
            raise ValueError(f"logits {logits.shape} and targets {targets.shape} for {len(self.classes)} classes")
        if not np.isin(targets, (0, 1)).all():
            raise ValueError("targets that are neither 0 nor 1")
        self._logits.append(logits.astype(np.float32))
        self._targets.append(targets.astype(bool))
        self._rows += [np.asarray(batch["rows"])] if "rows" in batch else []

    def merge(self, other: MultilabelMetric) -> None:
        """Append all samples of another metric.

        Thresholds that differ, as those of the networks of a cross-validation do, become their mean over samples: it is
        chosen on none of the samples that are measured.

        Raises:
            ValueError: the metrics differ in their classes.
        """
        if other.classes != self.classes:
            raise ValueError("cannot merge metrics of different classes")
        if (other.used_thresholds != self.used_thresholds).any():
            ours, theirs = (sum(map(len, metric._targets)) for metric in (self, other))
            total = ours * self.used_thresholds + theirs * other.used_thresholds
            self.used_thresholds = total / max(ours + theirs, 1)
        self._logits += other._logits
        self._targets += other._targets
        self._rows += other._rows
        self._members.merge(other._members)

    def compute(self) -> dict[str, float]:
        """Return the values over all samples; NaN if undefined.

        - `loss`: the mean binary cross-entropy over all labels of all samples, in nats;
        - `map`: the mean over classes of average precision, without classes that no sample has;
        - `micro_f1`: over all labels together, at the thresholds; `macro_f1`: the mean over classes, without classes
          that are neither there nor predicted;
        - `accuracy`: the share of labels that are right, and `accuracy_of_nothing`: that of predicting none at all,
          which is high where labels are rare;
        - `exact_match`: the share of samples of which every label is right.
        """
        logits, targets = self._all()
        return self._values(logits, targets, _per_class_ap(logits, targets))

    def item_scores(self) -> ItemScores | None:
        """Return what resampling needs of each sample, where their rows are known."""
        logits, targets = self._all()
        rows = np.concatenate([np.empty(0, np.int64), *self._rows])
        if len(rows) != len(targets):
            return None
        predicted = self._predicted(logits)
        counts = np.stack([part.sum(axis=1) for part in (predicted & targets, predicted, targets)], axis=1)
        figures = {
            "micro_f1": ItemFigure(counts, "f1", is_share=True),
            "exact_match": ItemFigure((predicted == targets).all(axis=1), is_share=True),
        }
        return scores_of(rows, targets, figures, names_items=False)

    def thresholds(self) -> list[float]:
        """Return for each class the probability from which on its F1 is best over these samples, (C,) in [0, 1].

        Of equal ones the highest is chosen, and put halfway to the next probability below, so that the rounding of
        another device or of an export changes no answer. Classes that fewer than `FEWEST_FOR_OWN` samples have share
        the probability that is best for all of them together, 0.5 if no sample has any. Find them on the validation
        split and use them on another: on the split they were found on, F1 is too good.
        """
        logits, targets = self._all()
        probabilities = _sigmoid(logits)
        is_rare = targets.sum(axis=0) < FEWEST_FOR_OWN
        shared = _best_threshold(probabilities[:, is_rare].ravel(), targets[:, is_rare].ravel())
        own = _own_thresholds(probabilities, targets)
        return [shared if rare else threshold for rare, threshold in zip(is_rare, own, strict=True)]

    def report(self) -> dict[str, Any]:
        """Return the full report as JSON values; undefined values are None.

        - `metrics`: those of `compute`;
        - `per_class`: name, average_precision, and at `threshold` precision, recall, f1; `support` (samples that have
          it) and `predicted`; `best_threshold`, with `best_f1`, which is best for these samples and this class alone;
        - `num_samples`, `num_invalid` (samples whose logits are not finite);
        - of an ensemble `members`, see `MemberFigures.added_to`.
        """
        logits, targets = self._all()
        average_precision = _per_class_ap(logits, targets)
        predicted = self._predicted(logits)
        rows: list[dict[str, Any]] = []
        probabilities = _sigmoid(logits)
        own = _own_thresholds(probabilities, targets)
        for label, (name, best) in enumerate(zip(self.classes, own, strict=True)):
            is_best = probabilities[:, label] >= best
            rows.append(
                {
                    "name": name,
                    "average_precision": float(average_precision[label]),
                    "threshold": float(self.used_thresholds[label]),
                    **_figures(predicted[:, label], targets[:, label]),
                    "support": int(targets[:, label].sum()),
                    "predicted": int(predicted[:, label].sum()),
                    "best_threshold": best,
                    "best_f1": _figures(is_best, targets[:, label])["f1"],
                }
            )
        everything = {
            "metrics": self._values(logits, targets, average_precision),
            "lower_is_better": ["loss"],
            "per_class": rows,
            "num_samples": len(targets),
            "num_invalid": int((~np.isfinite(logits).all(axis=1)).sum()),
        }
        return {name: finite(value) for name, value in self._members.added_to(everything).items()}

    def _all(self) -> tuple[np.ndarray, np.ndarray]:
        """Return logits (N, C) float64 and targets (N, C) bool."""
        shape = (0, len(self.classes))
        logits = np.concatenate([np.empty(shape, np.float32), *self._logits]).astype(np.float64)
        return logits, np.concatenate([np.empty(shape, bool), *self._targets])

    def _predicted(self, logits: np.ndarray) -> np.ndarray:
        return _sigmoid(logits) >= self.used_thresholds

    def _values(self, logits: np.ndarray, targets: np.ndarray, average_precision: np.ndarray) -> dict[str, float]:
        names = ("loss", "map", "micro_f1", "macro_f1", "accuracy", "accuracy_of_nothing", "exact_match")
        if not targets.size:
            return dict.fromkeys(names, math.nan)
        predicted = self._predicted(logits)
        of_classes = [_figures(*columns)["f1"] for columns in zip(predicted.T, targets.T, strict=True)]
        values = (
            _cross_entropy(logits, targets),
            _mean(average_precision),
            _figures(predicted.ravel(), targets.ravel())["f1"],
            _mean(np.array(of_classes)),
            float((predicted == targets).mean()),
            float((~targets).mean()),
            float((predicted == targets).all(axis=1).mean()),
        )
        return dict(zip(names, values, strict=True))


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return probabilities; -1, below each of them, where a logit is not a number."""
    with np.errstate(over="ignore"):
        return np.where(np.isnan(logits), -1.0, 1 / (1 + np.exp(-logits)))


def _cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean of -log p of what is true, from logits, as torch's `binary_cross_entropy_with_logits`."""
    with np.errstate(invalid="ignore"):
        return float(np.logaddexp(0, np.where(targets, -logits, logits)).mean())


def _figures(predicted: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Return `precision`, `recall` and `f1` of (N,) predictions; NaN where nothing is predicted, or nothing there."""
    hits, found, there = int((predicted & targets).sum()), int(predicted.sum()), int(targets.sum())
    return {
        "precision": hits / found if found else math.nan,
        "recall": hits / there if there else math.nan,
        "f1": 2 * hits / (found + there) if found + there else math.nan,
    }


def _per_class_ap(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return average precision of each class, (C,), NaN for a class that no sample has.

    It is the sum over thresholds of precision times the gain in recall, without interpolation, as scikit-learn's.
    """
    scores = np.where(np.isnan(logits), -np.inf, logits)
    values = np.full(logits.shape[1], np.nan)
    for label in np.flatnonzero(targets.any(axis=0)).tolist():
        hits, found, _ = _ranked(scores[:, label], targets[:, label])
        values[label] = (np.diff(hits, prepend=0) * hits / found).sum() / hits[-1]
    return values


def _own_thresholds(probabilities: np.ndarray, targets: np.ndarray) -> list[float]:
    """Return the best threshold of each class by itself, (C,)."""
    return [_best_threshold(*columns) for columns in zip(probabilities.T, targets.T, strict=True)]


def _best_threshold(probabilities: np.ndarray, targets: np.ndarray) -> float:
    if not targets.any():
        return DEFAULT_THRESHOLD
    hits, found, scores = _ranked(probabilities, targets)
    best = int(np.argmax(2 * hits / (found + hits[-1])))
    below = np.append(scores[1:], 0.0)[best]
    return float((max(scores[best], 0.0) + max(below, 0.0)) / 2)


def _ranked(scores: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hits, found, and the score for each threshold, by falling score; equal scores are one threshold."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.flatnonzero(np.append(ranked[:-1] != ranked[1:], True))
    return np.cumsum(targets[order])[ends], ends + 1, ranked[ends]


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan
