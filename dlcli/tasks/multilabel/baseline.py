"""What a multi-label classifier has to beat. Torch-free."""

from __future__ import annotations

import numpy as np

from dlcli.metrics.multilabel import MultilabelMetric

NEVER = 2.0
"""A threshold that no probability reaches."""


def baselines(labels: tuple[str, ...], train: np.ndarray, held_out: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the metrics of two models that do not look at images.

    - "nothing": predicts no label at all, which is right for most labels where each image shows few of many;
    - "frequency": gives every image each class's share of the training images, with thresholds of best F1 there.

    Args:
        labels: the C class names.
        train: (M, C) of 0 and 1, the training targets.
        held_out: (N, C), those to be measured.
    """
    shares = np.clip((train.sum(axis=0) + 0.5) / (len(train) + 1), 1e-6, 1 - 1e-6)  # no share is exactly 0 or 1
    logits = np.log(shares / (1 - shares))
    fitted = MultilabelMetric(labels)
    fitted.update({"targets": train}, {"logits": np.tile(logits, (len(train), 1))})
    found = {}
    for name, thresholds in (("nothing", [NEVER] * len(labels)), ("frequency", fitted.thresholds())):
        metric = MultilabelMetric(labels, thresholds)
        metric.update({"targets": held_out}, {"logits": np.tile(logits, (len(held_out), 1))})
        found[name] = metric.compute()
    for ranked in ("loss", "map"):  # of a model without probabilities
        del found["nothing"][ranked]
    return found
