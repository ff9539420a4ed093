"""What the folds of a cross-validation say of the items that they have not seen: stored once, in the parent run."""

from __future__ import annotations

import numpy as np

from dlcli.core.files import atomic_file
from dlcli.core.run_dir import RunDir
from dlcli.data.npy import load_npz
from dlcli.engine.task import KnowsProbabilities, Metric
from dlcli.metrics.label_errors import ItemProbabilities, mean_by_row

FILE = "out-of-fold.npz"
"""`rows` (N,), `labels` (N,) int64 and `probabilities` (N, C) float32, in the parent's `eval/`."""

MAX_VALUES = 50_000_000
"""Probabilities that are stored, at most: 200 MB."""


def keep_out_of_fold(parent: RunDir, metric: Metric) -> None:
    """Store the probabilities over all folds, if the metric knows any and they are not too many.

    Raises:
        OSError: the file cannot be written.
    """
    if not isinstance(metric, KnowsProbabilities):
        return
    items = mean_by_row(metric.item_probabilities())
    if items.probabilities.size > MAX_VALUES:
        return
    with atomic_file(parent.folder("eval") / FILE) as stream:
        np.savez(stream, rows=items.rows, labels=items.labels, probabilities=items.probabilities.astype(np.float32))


def read_out_of_fold(parent: RunDir) -> ItemProbabilities | None:
    """Return the stored probabilities, one row an item; None if there are none, or they are damaged."""
    arrays = load_npz(parent.path / "eval" / FILE)
    if arrays is None or not arrays.keys() >= {"rows", "labels", "probabilities"}:
        return None
    rows, labels, probabilities = (arrays[name] for name in ("rows", "labels", "probabilities"))
    if probabilities.dtype != np.float32 or probabilities.ndim != 2 or probabilities.shape[1] < 2:
        return None
    if any(part.dtype != np.int64 or part.shape != probabilities.shape[:1] for part in (rows, labels)):
        return None
    if len(rows) and (rows.min() < 0 or labels.min() < 0 or labels.max() >= probabilities.shape[1]):
        return None
    return ItemProbabilities(rows, labels, probabilities.astype(np.float64))
