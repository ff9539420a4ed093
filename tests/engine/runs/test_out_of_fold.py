"""The answers of folds to what they have not seen are stored once, and only sound files are read."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.core.run_dir import RunDir
from dlcli.engine.runs import out_of_fold
from dlcli.engine.runs.out_of_fold import FILE, keep_out_of_fold, read_out_of_fold
from dlcli.tasks.classes.metric import LogitsMetric


def metric_of(rows, logits, labels):
    metric = LogitsMetric(("cat", "dog"))
    metric.update({"rows": np.array(rows), "labels": np.array(labels)}, {"logits": np.array(logits, np.float32)})
    return metric


def test_folds_are_read_back_item_by_item(tmp_path):
    first = metric_of([5, 1], [[0, np.log(3)], [2, 2]], [1, 0])
    first.merge(metric_of([0], [[np.log(4), 0]], [0]))
    keep_out_of_fold(RunDir(tmp_path), first)
    items = read_out_of_fold(RunDir(tmp_path))
    assert (items.rows.tolist(), items.labels.tolist()) == ([0, 1, 5], [0, 0, 1])
    np.testing.assert_allclose(items.probabilities, [[0.8, 0.2], [0.5, 0.5], [0.25, 0.75]], rtol=1e-6)


def test_what_has_no_probabilities_or_too_many_is_not_stored(tmp_path, monkeypatch):
    keep_out_of_fold(RunDir(tmp_path), object())
    monkeypatch.setattr(out_of_fold, "MAX_VALUES", 3)
    keep_out_of_fold(RunDir(tmp_path), metric_of([0, 1], [[0, 1], [1, 0]], [0, 1]))
    assert not list(tmp_path.rglob("*.npz"))
    assert read_out_of_fold(RunDir(tmp_path)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"rows": np.array([-1, 1])},
        {"labels": np.array([0, 2])},
        {"labels": np.array([0.0, 1.0])},
        {"rows": np.array([0])},
        {"probabilities": np.zeros((2, 2, 2), np.float32)},
        {"probabilities": np.array([None, None], object)},
    ],
)
def test_a_damaged_file_is_none(tmp_path, change):
    sound = {"rows": np.arange(2), "labels": np.arange(2), "probabilities": np.full((2, 2), 0.5, np.float32)}
    (tmp_path / "eval").mkdir()
    np.savez(tmp_path / "eval" / FILE, **sound)
    assert read_out_of_fold(RunDir(tmp_path)) is not None
    np.savez(tmp_path / "eval" / FILE, **{**sound, **change})
    assert read_out_of_fold(RunDir(tmp_path)) is None
