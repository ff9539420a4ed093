"""What an evaluation leaves is read back, and damaged files are as none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlcli.core.run_dir import RunDir
from dlcli.core.table import Table
from dlcli.metrics.item_scores import ItemFigure, scores_of
from dlcli.report import kept
from dlcli.report.kept import Shown, keep_items, keep_shown, read_items, read_shown


@pytest.fixture
def run(tmp_path):
    return RunDir(tmp_path)


def some_scores():
    figures = {
        "accuracy": ItemFigure(np.array([1.0, 0, 1]), is_share=True),
        "bleu_13a": ItemFigure(np.ones((3, 10)), "bleu", signature="v:2"),
    }
    return scores_of(np.array([4, 2, 9]), ["b", "a", "c"], figures, names_items=True)


def test_scores_are_read_back(run):
    keep_items(run, "test", some_scores())
    found, expected = read_items(run, "test"), some_scores()
    assert (found.truth, found.names_items, found.rows.tolist()) == (expected.truth, True, [2, 4, 9])
    assert found.figures["bleu_13a"].signature == "v:2"
    np.testing.assert_array_equal(found.figures["accuracy"].statistics.ravel(), [0, 1, 1])
    assert read_items(run, "valid") is None


def test_an_evaluation_without_scores_removes_older_ones(run, monkeypatch):
    keep_items(run, "test", some_scores())
    keep_items(run, "test", None)
    assert read_items(run, "test") is None
    monkeypatch.setattr(kept, "MAX_VALUES", 5)
    keep_items(run, "test", some_scores())
    assert read_items(run, "test") is None


@pytest.mark.parametrize(
    "change",
    [
        {"rows": np.array([1.0, 2, 3])},
        {"figure.accuracy": np.ones((2, 1))},
        {"figure.accuracy": np.array([[np.nan], [1], [1]])},
        {"figure.bleu_13a": np.ones((3, 4))},
        {"about": np.array("{}")},
        {"about": np.array("[")},
    ],
)
def test_damaged_scores_are_as_none(run, change):
    keep_items(run, "test", some_scores())
    path = run.path / "eval" / "test-items.npz"
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez(path, **{**arrays, **change})
    assert read_items(run, "test") is None


def test_what_was_shown_is_read_back(run):
    tables = [
        Table("per_class", ["name", "f1"], [["猫", 0.5], ["dog", float("nan")]], []),
        Table("empty", ["x"], [], []),
    ]
    shown = Shown(tables, ["plots/test-roc.png"], ["a note"], {"tta": True}, "2026-01-01T00:00:00", "ab12")
    keep_shown(run, "test", shown)
    found = read_shown(run, "test")
    assert (found.evaluated, found.data) == ("2026-01-01T00:00:00", "ab12")
    assert [(table.name, table.rows) for table in found.tables] == [("per_class", [["猫", 0.5], ["dog", None]])]
    assert (found.pictures, found.notes, found.options) == (["plots/test-roc.png"], ["a note"], {"tta": True})


def test_an_evaluation_of_an_older_version_does_not_say_which_data_it_was(run):
    keep_shown(run, "test", Shown(evaluated="2026-01-01T00:00:00", data="ab12"))
    path = run.path / "eval" / "test-shown.json"
    value = json.loads(path.read_text())
    del value["data"]
    path.write_text(json.dumps(value))
    found = read_shown(run, "test")
    assert (found.evaluated, found.data) == ("2026-01-01T00:00:00", "")


@pytest.mark.parametrize("text", ["[", "[]", "{}", '{"tables": [{"name": "x", "columns": ["a"], "rows": [[1, 2]]}]}'])
def test_damaged_tables_are_as_none(run, text):
    run.folder("eval")
    (run.path / "eval" / "test-shown.json").write_text(text)
    assert read_shown(run, "test") is None
    more = {"pictures": [], "notes": [], "options": {}, "evaluated": ""}
    rows = {"tables": [{"name": "x", "columns": ["a"], "rows": [[1, 2]]}], **more}
    (run.path / "eval" / "test-shown.json").write_text(json.dumps(rows))
    assert read_shown(run, "test") is None
