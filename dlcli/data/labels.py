"""Class names, and predictions in terms of them; imports no torch."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError, RunError
from dlcli.data.codec import Record

_WHOLE = re.compile(r"-?\d+\.0+")
"""A whole number with decimals: programs write the labels 1 and 2 so once a label is missing."""


def label_text(value: object) -> str:
    """Return the class that a value of a file names, "" for none: 1, 1.0 and "1" are one class, NaN is a missing label.

    >>> [label_text(value) for value in (1, 1.0, "1.0", "01", "1.5", True, float("nan"), None)]
    ['1', '1', '1', '01', '1.5', 'True', '', '']
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return text.partition(".")[0] if _WHOLE.fullmatch(text) else text


def read_labels(value: Any) -> tuple[str, ...]:
    """Return the class names stored in a run.

    Raises:
        RunError: the value is not a list of names.
    """
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise RunError("the labels that came with the model are damaged")
    return tuple(value)


def indices_in_run(classes: Sequence[str], labels: Sequence[str], data: Path) -> np.ndarray:
    """Return the run's index of each class of the data, (C,) int64, matched by name.

    Args:
        classes: C class names of the data.
        labels: class names of the run.
        data: the data's folder, for messages.

    Raises:
        DataError: the data has a class that is unknown to the run.
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
    """Return class weights inverse to the class frequencies, with a mean of 1 over the items, (C,) float32.

    Args:
        indices: (N,) class indices.
        num_classes: C.
    """
    counts = np.bincount(indices, minlength=num_classes)
    present = counts > 0
    weights = np.where(present, len(indices) / (present.sum() * np.maximum(counts, 1)), 0.0)
    return weights.astype(np.float32)


def label_records(labels: Sequence[str], logits: np.ndarray, top_k: int) -> list[Record]:
    """Return the record of each row of (N, C) logits: label, probability, and the `top_k` most likely classes."""
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
