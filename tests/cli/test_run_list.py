"""`dl runs`: sorted by what is asked, and for other programs."""

from __future__ import annotations

import csv
import io
import json

import pytest


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, (accuracy, loss, seconds) in enumerate([(0.5, 0.2, 3.0), (0.9, 0.3, 2.0), (None, None, 1.0)]):
        folder = tmp_path / "runs" / f"run-{number}"
        (folder / "eval").mkdir(parents=True)
        info = {"schema": 1, "status": "finished", "task": "classification", "seconds": seconds}
        info |= {"started": f"2026-01-0{number + 1}", "best": {"epoch": 1, "val_loss": 3.0 - number}}
        (folder / "run.json").write_text(json.dumps(info))
        if accuracy is not None:
            report = {"metrics": {"accuracy": accuracy, "loss": loss}, "lower_is_better": ["loss"]}
            (folder / "eval" / "test.json").write_text(json.dumps(report))
    return tmp_path


def order(answer):
    return [line.split()[0] for line in answer.out.splitlines()[1:]]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("test_accuracy", ["run-1", "run-0", "run-2"]),
        ("test_loss", ["run-0", "run-1", "run-2"]),
        ("val_loss", ["run-2", "run-1", "run-0"]),
        ("seconds", ["run-2", "run-1", "run-0"]),
        ("started", ["run-0", "run-1", "run-2"]),
    ],
)
def test_the_best_comes_first_and_runs_without_it_last(runs, dl, sort, expected):
    assert order(dl("runs", "--sort", sort)) == expected
    names = [run["path"] for run in json.loads(dl("runs", "--sort", sort, "--json").out)["runs"]]
    assert names == [f"runs/{name}" for name in expected]


@pytest.mark.parametrize("larger_is_better", [False, True])
def test_a_goal_is_sorted_by_what_its_run_says_of_it_before_any_is_evaluated(
    tmp_path, monkeypatch, dl, larger_is_better
):
    monkeypatch.chdir(tmp_path)
    for number, value in enumerate((2.0, 1.0, 3.0)):
        folder = tmp_path / "runs" / f"run-{number}"
        folder.mkdir(parents=True)
        info = {"schema": 1, "goal": "score", "larger_is_better": larger_is_better, "best": {"score": value}}
        (folder / "run.json").write_text(json.dumps(info))
    expected = ["run-1", "run-0", "run-2"]
    assert order(dl("runs", "--sort", "score")) == (expected[::-1] if larger_is_better else expected)


def test_a_sorted_list_shows_what_it_is_sorted_by(runs, dl):
    assert "test_accuracy  0.9000" in dl("runs", "--sort", "test_accuracy").out


def test_csv_has_a_row_for_each_run_and_a_column_for_each_metric(runs, dl):
    rows = list(csv.DictReader(dl("runs", "--to", "csv", "--sort", "test_accuracy").out.splitlines()))
    assert [(row["run"], row["test_accuracy"], row["val_loss"]) for row in rows] == [
        ("run-1", "0.9", "2.0"),
        ("run-0", "0.5", "3.0"),
        ("run-2", "", "1.0"),
    ]
    assert dl("runs", "--to", "csv", "--out", "all.csv").out == "all.csv\n"
    assert len((runs / "all.csv").read_text().splitlines()) == 4


def test_a_carriage_return_in_an_entry_begins_no_row_of_the_csv(runs, dl):
    place = runs / "runs" / "run-0" / "run.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), "dataset": "my\rdata"}))
    rows = list(csv.DictReader(io.StringIO(dl("runs", "--to", "csv").out, newline="")))
    assert {row["run"]: row["dataset"] for row in rows} == {"run-0": "my\rdata", "run-1": "", "run-2": ""}


def test_mlflow_gets_its_files(runs, dl):
    answer = dl("runs", "--to", "mlflow", "--out", "ml")
    assert answer.out == "ml\n"
    assert "mlflow ui" in answer.err
    assert len(list((runs / "ml").glob("*/*/metrics/test_accuracy"))) == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--sort", "test_acuracy"], "test_accuracy"), (["--out", "x"], "--to"), (["--to", "excel"], "csv")],
)
def test_what_cannot_be_listed_is_refused(runs, dl, words, says):
    answer = dl("runs", *words)
    assert answer.code == 2
    assert says in answer.err
