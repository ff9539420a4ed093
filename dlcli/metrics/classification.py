"""Metrics of single-label classification over all samples of a split, with numpy only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dlcli.core.files import finite
from dlcli.metrics.item_scores import ItemFigure
from dlcli.metrics.threshold_curves import area, precision_recall, roc

TOP_K = 5
NUM_BINS = 15
"""Bins of the calibration error, as in Guo et al. 2017 (arXiv:1706.04599)."""
MAX_POINTS = 200
"""Maximum points per stored curve; fewer with very many classes, so that a report stays within a few megabytes."""
NO_CLASS = -1
"""The prediction for samples whose logits are not finite: no class, hence always wrong."""


class Mistake(NamedTuple):
    """A misclassified sample.

    Attributes:
        index: its position in the order in which samples were added.
        label, predicted: class indices.
        confidence: probability of the predicted class.
        loss: cross-entropy in nats.
    """

    index: int  # type: ignore[assignment]  # shadows the method tuple.index, which is not needed here
    label: int
    predicted: int
    confidence: float
    loss: float


@dataclass(frozen=True)
class _Scores:
    """Per-sample results; N samples, C classes."""

    labels: np.ndarray  # (N,) int64
    predicted: np.ndarray  # (N,) int64, NO_CLASS where invalid
    losses: np.ndarray  # (N,) float64, NaN where invalid
    ranks: np.ndarray  # (N,) int64: how many classes come before the label; C where invalid
    is_valid: np.ndarray  # (N,) bool
    log_probs: np.ndarray  # (N, C) float64, NaN where invalid


class ClassificationMetric:
    """Collects logits and labels, and computes their metrics.

    Every metric is over all samples, never a mean of batch means, so the batch size does not matter. A sample whose
    logits contain NaN or plus infinity counts as wrong, and makes the loss NaN.

    Memory: 4 bytes per logit (10,000 samples of 1,000 classes: 40 MB).

    Args:
        num_classes: C, at least 2.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self._logits: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []

    def update(self, logits: np.ndarray, labels: np.ndarray) -> None:
        """Add a batch.

        Args:
            logits: (N, C) real numbers.
            labels: (N,) integers in [0, C).

        Raises:
            ValueError: the shapes do not match, or a label is out of range.
        """
        if logits.shape != (len(labels), self.num_classes) or labels.ndim != 1:
            raise ValueError(f"logits {logits.shape} and labels {labels.shape} for {self.num_classes} classes")
        labels = labels.astype(np.int64)
        if labels.size and not (labels.min() >= 0 and labels.max() < self.num_classes):
            raise ValueError(f"labels from {labels.min()} to {labels.max()} for {self.num_classes} classes")
        self._logits.append(logits.astype(np.float32))
        self._labels.append(labels)

    def merge(self, other: ClassificationMetric) -> None:
        """Append all samples of another metric.

        Raises:
            ValueError: the metrics differ in their number of classes.
        """
        if other.num_classes != self.num_classes:
            raise ValueError(f"cannot merge a metric of {other.num_classes} classes into one of {self.num_classes}")
        self._logits += other._logits
        self._labels += other._labels

    def compute(self) -> dict[str, float]:
        """Return `loss` (mean cross-entropy, nats), `accuracy`, and with more than 5 classes `top5`.

        `top5` is the fraction of samples whose label is among the five largest logits (the first among equal ones).
        Without samples all are NaN.
        """
        return self._headline(self._scores())

    def report(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return the full report on all samples as JSON values; undefined values are None.

        - `metrics`: those of `compute`, balanced accuracy, macro and weighted averages, calibration error;
        - `per_class`: precision, recall, F1, support, number predicted, average precision and ROC AUC (one-vs-rest). A
          class without samples has no recall and no F1, and is excluded from macro averages and balanced accuracy; a
          class that is never predicted has precision 0;
        - `confusion`: (C, C) counts, rows true, columns predicted; invalid samples are in no column;
        - `calibration`: 15 bins of equal width;
        - `curves`: `pr` (recall, precision, area) and `roc` (fpr, tpr, area), one per class, at most 200 points each,
          None if undefined;
        - `num_samples`, `num_invalid` (samples whose logits are not finite).

        Args:
            class_names: C names.

        Raises:
            ValueError: there are not exactly C names.
        """
        if len(class_names) != self.num_classes:
            raise ValueError(f"{len(class_names)} names for {self.num_classes} classes")
        scores = self._scores()
        confusion = _confusion(scores, self.num_classes)
        support = np.bincount(scores.labels, minlength=self.num_classes)
        per_class = _per_class(confusion, support)
        curves: dict[str, list[Any]] = {"pr": [], "roc": []}
        max_points = min(max(8000 // self.num_classes, 25), MAX_POINTS)
        for index, row in enumerate(per_class):
            row["name"] = class_names[index]
            row |= _one_against_rest(scores, index, max_points, curves)
        calibration = _calibration(scores)
        metrics = self._headline(scores) | _averages(per_class) | {"calibration_error": calibration["error"]}
        everything = {
            "num_samples": len(scores.labels),
            "num_invalid": int((~scores.is_valid).sum()),
            "metrics": metrics,
            "per_class": per_class,
            "confusion": confusion.tolist(),
            "calibration": calibration,
            "curves": curves,
        }
        return {name: finite(value) for name, value in everything.items()}

    def worst(self, k: int) -> list[Mistake]:
        """Return the `k` mistakes of largest loss, in descending order; invalid samples are excluded."""
        scores = self._scores()
        wrong = np.flatnonzero(scores.is_valid & (scores.predicted != scores.labels))
        order = wrong[np.argsort(-scores.losses[wrong], kind="stable")[:k]]
        return [
            Mistake(
                index=int(i),
                label=int(scores.labels[i]),
                predicted=int(scores.predicted[i]),
                confidence=float(np.exp(scores.log_probs[i, scores.predicted[i]])),
                loss=float(scores.losses[i]),
            )
            for i in order
        ]

    def probabilities(self) -> np.ndarray:
        """Return the probabilities of all samples, (N, C) float64; NaN where the logits are not finite."""
        return np.asarray(np.exp(self._scores().log_probs))

    def labels(self) -> np.ndarray:
        """Return the labels of all samples, (N,) int64."""
        return np.concatenate([np.empty(0, np.int64), *self._labels])

    def item_figures(self) -> dict[str, ItemFigure]:
        """Return those of the metrics of `compute` that are means over samples, with the value of each sample."""
        scores = self._scores()
        figures = {
            "accuracy": ItemFigure(scores.ranks == 0, is_share=True),
            "top5": ItemFigure(scores.ranks < TOP_K, is_share=True),
            "loss": ItemFigure(scores.losses, lower_is_better=True),
        }
        is_known = scores.is_valid.all() and np.isfinite(scores.losses).all()
        left_out = [] if is_known else ["loss"]
        return {
            name: figure
            for name, figure in figures.items()
            if name not in left_out and (name != "top5" or self.num_classes > TOP_K)
        }

    def _scores(self) -> _Scores:
        labels = self.labels()
        logits = np.concatenate([np.empty((0, self.num_classes), np.float32), *self._logits]).astype(np.float64)
        # max() propagates NaN; minus infinity means a probability of 0 and is allowed.
        largest = logits.max(axis=1, initial=-np.inf)
        is_valid = np.isfinite(largest)
        logits[~is_valid] = np.nan
        log_probs = logits - np.where(is_valid, largest, 0)[:, None]
        log_probs -= np.log(np.exp(log_probs).sum(axis=1, keepdims=True))
        rows = np.arange(len(labels))
        of_label = logits[rows, labels][:, None]
        is_before = (logits > of_label) | ((logits == of_label) & (np.arange(self.num_classes) < labels[:, None]))
        return _Scores(
            labels=labels,
            predicted=np.where(is_valid, logits.argmax(axis=1), NO_CLASS),
            losses=-log_probs[rows, labels],
            ranks=np.where(is_valid, is_before.sum(axis=1), self.num_classes),
            is_valid=is_valid,
            log_probs=log_probs,
        )

    def _headline(self, scores: _Scores) -> dict[str, float]:
        if not len(scores.labels):
            figures = {"loss": math.nan, "accuracy": math.nan, "top5": math.nan}
        else:
            figures = {
                "loss": float(scores.losses.mean()),
                "accuracy": float((scores.ranks == 0).mean()),
                "top5": float((scores.ranks < TOP_K).mean()),
            }
        if self.num_classes <= TOP_K:
            del figures["top5"]
        return figures


def _confusion(scores: _Scores, num_classes: int) -> np.ndarray:
    flat = scores.labels[scores.is_valid] * num_classes + scores.predicted[scores.is_valid]
    return np.bincount(flat, minlength=num_classes**2).reshape(num_classes, num_classes)


def _per_class(confusion: np.ndarray, support: np.ndarray) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for index, hits in enumerate(confusion.diagonal().tolist()):
        in_class, predicted = int(support[index]), int(confusion[:, index].sum())
        rows.append(
            {
                "name": "",
                "precision": hits / predicted if predicted else 0.0,
                "recall": hits / in_class if in_class else None,
                "f1": 2 * hits / (in_class + predicted) if in_class else None,
                "support": in_class,
                "predicted": predicted,
            }
        )
    return rows


def _averages(per_class: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the macro and weighted averages over the classes that have samples."""
    present = [row for row in per_class if row["support"]]
    if not present:
        return {}
    names = ("precision", "recall", "f1")
    values = np.array([[row[name] for name in names] for row in present])
    weights = np.array([row["support"] for row in present])
    macro, weighted = values.mean(axis=0), np.average(values, axis=0, weights=weights)
    figures = {"balanced_accuracy": float(macro[1])}
    figures |= {f"macro_{name}": float(value) for name, value in zip(names, macro, strict=True)}
    figures |= {f"weighted_{name}": float(value) for name, value in zip(names, weighted, strict=True)}
    for name in ("average_precision", "roc_auc"):
        known = [row[name] for row in present if row[name] is not None]
        if known:
            figures[f"macro_{name}"] = float(np.mean(known))
    return figures


def _one_against_rest(
    scores: _Scores, index: int, max_points: int, curves: dict[str, list[Any]]
) -> dict[str, float | None]:
    """Return average precision and ROC AUC of a class, and append its two curves; undefined values are None."""
    # Invalid samples have no score, so they rank last, below every probability.
    scored = np.where(scores.is_valid, np.exp(scores.log_probs[:, index]), -1.0)
    truth = scores.labels == index
    area_pr, area_roc = None, None
    pr_curve, roc_curve = None, None
    if truth.any():
        precision, recall = precision_recall(truth, scored)
        area_pr = float(-np.sum(np.diff(recall) * precision[:-1]))
        keep = _thin(recall, precision, max_points)
        pr_curve = {"recall": _rounded(recall[keep]), "precision": _rounded(precision[keep]), "area": area_pr}
    if truth.any() and not truth.all():
        false_rate, true_rate = roc(truth, scored)
        area_roc = area(false_rate, true_rate)
        keep = _thin(false_rate, true_rate, max_points)
        roc_curve = {"fpr": _rounded(false_rate[keep]), "tpr": _rounded(true_rate[keep]), "area": area_roc}
    curves["pr"].append(pr_curve)
    curves["roc"].append(roc_curve)
    return {"average_precision": area_pr, "roc_auc": area_roc}


def _thin(x: np.ndarray, y: np.ndarray, max_points: int) -> np.ndarray:
    """Return the indices of at most `max_points` points, evenly spaced along the curve, including both ends."""
    if len(x) <= max_points:
        return np.arange(len(x))
    travelled = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    wanted = np.linspace(0, travelled[-1], max_points)
    return np.unique(np.concatenate([[0], np.searchsorted(travelled, wanted[1:-1]), [len(x) - 1]]))


def _rounded(values: np.ndarray) -> list[float]:
    return [round(value, 5) for value in values.tolist()]


def _calibration(scores: _Scores) -> dict[str, Any]:
    """Return the expected calibration error and its bins; invalid samples have no confidence and are excluded.

    Source: Guo et al. 2017, arXiv:1706.04599.
    """
    predicted = scores.predicted[scores.is_valid]
    if not len(predicted):
        return {"error": None, "bins": []}
    confidence = np.exp(scores.log_probs[scores.is_valid, predicted])
    is_right = predicted == scores.labels[scores.is_valid]
    # Bins are open on the left and closed on the right, as in the paper.
    which = np.clip(np.ceil(confidence * NUM_BINS).astype(int) - 1, 0, NUM_BINS - 1)
    counts = np.bincount(which, minlength=NUM_BINS)
    confident = np.bincount(which, weights=confidence, minlength=NUM_BINS)
    right = np.bincount(which, weights=is_right, minlength=NUM_BINS)
    bins = [
        {
            "from": index / NUM_BINS,
            "to": (index + 1) / NUM_BINS,
            "count": count,
            "confidence": float(confident[index] / count) if count else None,
            "accuracy": float(right[index] / count) if count else None,
        }
        for index, count in enumerate(counts.tolist())
    ]
    return {"error": float(np.abs(right - confident).sum() / len(predicted)), "bins": bins}
