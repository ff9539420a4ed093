"""Class names, and answers in their terms; torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcli.core.errors import RunError
from dlcli.data.codec import Record


def read_labels(value: Any) -> tuple[str, ...]:
    """Return the class names that a run kept.

    Raises:
        RunError: it is no list of names.
    """
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise RunError("the labels that came with the model are damaged")
    return tuple(value)


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
