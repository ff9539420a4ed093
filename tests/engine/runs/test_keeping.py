"""What an evaluation stores in its run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from dlcli.core.run_dir import RunDir
from dlcli.core.table import Table
from dlcli.data.card import Card
from dlcli.engine.runs.evaluation import Measured
from dlcli.engine.runs.keeping import keep_evaluation
from dlcli.report.kept import data_digest, read_items, read_shown
from dlcli.tasks.classes.metric import LogitsMetric


@dataclass(frozen=True)
class Inference:
    top_k: int = 1
    tta: bool = False


@pytest.fixture
def measured():
    metric = LogitsMetric(("cat", "dog"))
    metric.update({"rows": np.arange(3), "labels": np.array([0, 1, 1])}, {"logits": np.eye(2)[[0, 1, 0]]})
    card = Card("images", "pets", ("cat", "dog"), {"test": {"cat": 1, "dog": 2}}, sources=({"sha256": "ab"},))
    task = SimpleNamespace(draw_report=lambda report, split: [("roc.png", np.zeros((4, 5, 3), np.uint8))], card=card)
    return Measured(task, {"split": "test", "metrics": {}}, [Table("t", ["a"], [[1]], [])], metric, ["a note"])


def test_report_items_tables_and_pictures_are_stored(tmp_path, measured):
    run = RunDir(tmp_path)
    assert keep_evaluation(run, measured, draws=True, inference=Inference(tta=True)) == [
        str(tmp_path / "plots" / "test-roc.png")
    ]
    shown = read_shown(run, "test")
    assert (shown.pictures, shown.notes, shown.options) == (["plots/test-roc.png"], ["a note"], {"tta": True})
    assert read_items(run, "test").figures["accuracy"].statistics.ravel().tolist() == [1, 1, 0]
    assert run.read_json("eval/test.json")["split"] == "test"
    assert shown.data == data_digest(measured.task.card)
    measured.task.card = None
    keep_evaluation(run, measured, draws=False)
    assert read_shown(run, "test").data == ""


def test_without_drawing_the_pictures_of_the_same_weights_stay(tmp_path, measured):
    run = RunDir(tmp_path)
    run.best_checkpoint.parent.mkdir()
    run.best_checkpoint.write_bytes(b"")
    keep_evaluation(run, measured, draws=True)
    assert keep_evaluation(run, measured, draws=False) == []
    assert read_shown(run, "test").pictures == ["plots/test-roc.png"]
    os.utime(tmp_path / "plots" / "test-roc.png", (1, 1))  # older than the weights
    keep_evaluation(run, measured, draws=False)
    assert read_shown(run, "test").pictures == []


def test_a_metric_that_knows_no_items_removes_those_of_an_earlier_one(tmp_path, measured):
    run = RunDir(tmp_path)
    keep_evaluation(run, measured, draws=False)
    other = Measured(measured.task, measured.report, [], object(), [])
    keep_evaluation(run, other, draws=False)
    assert read_items(run, "test") is None
