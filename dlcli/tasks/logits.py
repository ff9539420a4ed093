"""What the tasks that put items into classes share: their loss and their metric."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from dlcli.engine.task import Batch, Outputs
from dlcli.metrics.classification import ClassificationMetric


class LogitsMetric:
    """The classification metric, fed from batches; `has_views` where the outputs hold logits over views too."""

    def __init__(self, class_names: tuple[str, ...], *, has_views: bool = False) -> None:
        self._names = class_names
        self._metric = ClassificationMetric(len(class_names))
        self._over_views = ClassificationMetric(len(class_names)) if has_views else None
        self._rows: list[np.ndarray] = []

    def update(self, batch: Batch, outputs: Outputs) -> None:
        """Take in (N, C) logits, (N,) labels, and the images' (N,) places in their split."""
        self._rows.append(batch["rows"].cpu().numpy())
        labels = batch["labels"].cpu().numpy()
        self._metric.update(outputs["logits"].float().cpu().numpy(), labels)
        if self._over_views is not None:
            self._over_views.update(outputs["tta_logits"].float().cpu().numpy(), labels)

    def merge(self, other: LogitsMetric) -> None:
        """Take in what another process has seen."""
        self._rows += other._rows
        self._metric.merge(other._metric)
        if self._over_views is not None and other._over_views is not None:
            self._over_views.merge(other._over_views)

    def compute(self) -> dict[str, float]:
        """Return loss, accuracy, and top-5 accuracy where there are more than five classes."""
        return self._metric.compute()

    def report(self) -> dict[str, Any]:
        """Return figures, the table per class, curves, the confusion matrix and the worst mistakes.

        With views, the figures of their mean stand beside those of the images as they are, as `accuracy_tta`.
        """
        rows = np.concatenate([np.empty(0, np.int64), *self._rows])
        worst = [mistake._replace(index=int(rows[mistake.index]))._asdict() for mistake in self._metric.worst(25)]
        report, lower = self._metric.report(self._names), ["loss", "calibration_error"]
        if self._over_views is not None:
            report["metrics"] |= {f"{name}_tta": value for name, value in self._over_views.compute().items()}
            lower.append("loss_tta")
        return {**report, "lower_is_better": lower, "worst": worst}


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float, class_weights: Tensor | None) -> Tensor:
    """Return the cross-entropy as a mean over the batch.

    Weighted classes are divided by the number of images too, not by the sum of their weights as torch's mean does: so
    the gradients of two micro-batches add up to those of the large batch.

    Args:
        logits: (N, C).
        labels: (N,) int64.
        smoothing: part of the target shared among all classes (Szegedy et al. 2015, arXiv:1512.00567).
        class_weights: (C,), or None for none.
    """
    total = F.cross_entropy(logits.float(), labels, class_weights, label_smoothing=smoothing, reduction="sum")
    return total / len(labels)
