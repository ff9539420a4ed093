"""Class names, and answers in their terms; torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError, RunError
from dlcli.data.codec import Record


def read_labels(value: Any) -> tuple[str, ...]:
    """Return the class names that a run kept.

    Raises:
        RunError: it is no list of names.
    """
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise RunError("the labels that came with the model are damaged")
    return tuple(value)


def indices_in_run(classes: Sequence[str], labels: Sequence[str], data: Path) -> np.ndarray:
    """Return the run's index of each class of the data, (C,) int64; they are matched by name.

    Raises:
        DataError: the data has a class that the run does not know.
    """
    unknown = [name for name in classes if name not in labels]
    if unknown:
        raise DataError(
            f"{data}: class {unknown[0]!r} is unknown to the run",
            details=[f"the run knows: {', '.join(labels[:10])}{', ...' if len(labels) > 10 else ''}"],
            hint="rename the class in the data, or train on this data",
        )
    return np.array([list(labels).index(name) for name in classes], dtype=np.int64)


def balanced_weights(indices: np.ndarray, num_classes: int) -> np.ndarray:
    """Return (C,) float32 weights, inverse to each class's share of the items, 1 on average over them.

    Args:
        indices: (N,) class indices.
    """
    counts = np.bincount(indices, minlength=num_classes)
    present = counts > 0
    weights = np.where(present, len(indices) / (present.sum() * np.maximum(counts, 1)), 0.0)
    return weights.astype(np.float32)


def label_records(labels: Sequence[str], logits: np.ndarray, top_k: int) -> list[Record]:
    """Return for each row of (N, C) logits the label, its probability, and the `top_k` best of both."""
    probabilities = _softmax(logits.astype(np.float64))
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, : max(1, top_k)]
    return [
        {
            "label": labels[order[0]],
            "probability": round(float(row[order[0]]), 6),
            "top": [{"label": labels[k], "probability": round(float(row[k]), 6)} for k in order],
        }
        for row, order in zip(probabilities, best, strict=True)
    ]


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
