"""Cross-validation as a command: a parent of ordinary runs, killed in the middle and gone on with."""

from __future__ import annotations

import json
import os
import shutil
import statistics
from pathlib import Path

import pytest
import torch
from toys.terminating import terminated_at

from dlcli.cli.app import run as run_line
from dlcli.core.errors import ExitCode, StoppedError
from dlcli.core.run_dir import RunDir, create_run
from dlcli.engine.runs.checkpoint import read_checkpoint
from dlcli.engine.runs.cross_validation import SUMMARY as SUMMARY_FILE
from dlcli.engine.runs.cross_validation import _auto_of, _kept_summary
from dlcli.tasks.classification.task import ClassificationTask

LINE = ("train", "digits", "--model", "lenet", "--epochs", "1", "--folds", "3", "--threads", "1", "--precision", "fp32")


@pytest.fixture
def dl(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(*words, expect=0):
        capsys.readouterr()
        code = run_line(words)
        out, err = capsys.readouterr()
        assert code == expect, err
        return out, err

    return call


def weights_of(run):
    return read_checkpoint(run / "checkpoints" / "last.pt")["model"]


def test_a_cross_validation_killed_in_its_second_fold_goes_on_to_the_same_end(dl, tmp_path, monkeypatch):
    out, _ = dl(*LINE, "--name", "whole")
    assert out == "runs/whole\n"
    whole = json.loads((tmp_path / "runs/whole/eval/test.json").read_text())
    info = RunDir(tmp_path / "runs/whole").info()
    assert (info["goal"], info["larger_is_better"]) == ("accuracy", True)
    with terminated_at(ClassificationTask, 25):  # 17 steps a fold
        _, err = dl(*LINE, "--name", "cut", expect=143)
    assert "dl train --resume cut" in err
    assert RunDir(tmp_path / "runs/cut").info()["status"] == "interrupted"
    first = (tmp_path / "runs/cut/folds/01/checkpoints/last.pt").stat().st_mtime_ns
    dl("train", "--resume", "cut")
    assert (tmp_path / "runs/cut/folds/01/checkpoints/last.pt").stat().st_mtime_ns == first
    for fold in ("01", "02", "03"):
        weights = [
            read_checkpoint(tmp_path / f"runs/{run}/folds/{fold}/checkpoints/last.pt")["model"]
            for run in ("whole", "cut")
        ]
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    cut = json.loads((tmp_path / "runs/cut/eval/test.json").read_text())
    assert cut["metrics"] == whole["metrics"]
    dl("train", "--resume", "cut", expect=2)

    accuracies = [fold["metrics"]["accuracy"] for fold in whole["folds"]]
    assert whole["metrics"]["accuracy"] == pytest.approx(statistics.fmean(accuracies))
    assert whole["standard_errors"]["accuracy"] == pytest.approx(statistics.stdev(accuracies) / 3**0.5)
    assert sum(fold["items"] for fold in whole["folds"]) == whole["items"] == 1797
    out, _ = dl("eval", "whole", "--json", "--threads", "1")
    assert json.loads(out)["metrics"] == whole["metrics"]
    dl("eval", "whole", "--fail-under", "accuracy=0.999", "--quiet", expect=7)
    dl("eval", "whole", "--split", "valid", expect=2)
    _, err = dl("eval", "whole", "--tta", expect=2)
    assert "`dl eval runs/whole/folds/01 --tta`" in err
    shutil.rmtree(tmp_path / "runs/cut/eval")
    (tmp_path / "runs/cut/eval").write_text("in place of the folder, so that nothing can be stored")
    out, err = dl("eval", "cut", "--json", "--threads", "1")
    assert json.loads(out)["metrics"] == whole["metrics"]
    assert "warning: runs/cut cannot be written" in err
    out, _ = dl("eval", "runs/whole/folds/02", "--json", "--no-plots", "--threads", "1")
    assert json.loads(out)["metrics"]["accuracy"] == pytest.approx(accuracies[1])
    out, _ = dl("doctor", "whole", "--json")
    assert {finding["state"] for finding in json.loads(out)["findings"]} == {"ok"}
    for command in (("predict", "whole", "x.png"), ("export", "whole"), ("visualize", "features", "whole", "x.png")):
        _, err = dl(*command, expect=4)
        assert "folds/01" in err


def test_the_folds_that_a_resumed_cross_validation_starts_measure_their_rate_as_the_others_did(dl, monkeypatch):
    started = []

    def start(request, console):
        started.append((request.name, request.auto))
        if request.name != "01":
            raise StoppedError("stopped", exit_code=ExitCode.INTERRUPTED)
        create_run("", {"status": "finished"}, request.name, request.folder)

    monkeypatch.setattr("dlcli.engine.runs.cross_validation.start_training", start)
    dl(*LINE, "--lr", "auto", "--batch-size", "auto", "--name", "cut", expect=130)
    dl("train", "--resume", "cut", expect=130)
    auto = frozenset({"learning_rate", "batch_size"})
    assert started == [("01", auto), ("02", auto), ("02", auto)]


@pytest.mark.parametrize("names", [None, "learning_rate", 3, [["learning_rate"]], ["epochs", "nothing"]])
def test_what_no_fold_can_measure_is_no_option_to_measure(names):
    assert _auto_of({"auto": names}) == frozenset()


def test_repeats_are_cut_anew_and_one_fold_can_be_trained_alone(dl, tmp_path):
    dl(*LINE[:-6], "--folds", "2", "--repeats", "2", "--threads", "1", "--max-steps", "2", "--name", "many")
    configs = [RunDir(tmp_path / f"runs/many/folds/{number:02}").config() for number in range(1, 5)]
    assert [(config["fold"], config["seed"]) for config in configs] == [(1, 0), (2, 0), (1, 1), (2, 1)]
    dl(*LINE[:-6], "--folds", "2", "--fold", "2", "--threads", "1", "--max-steps", "2", "--name", "one")
    weights = [
        read_checkpoint(tmp_path / path / "checkpoints/last.pt")["model"] for path in ("runs/many/folds/02", "runs/one")
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_repeated_hold_out_and_folds_in_time_are_ordinary_folds(dl, tmp_path):
    rows = [f"{i % 5},{i % 3},{2 * (i % 5) + i % 3},2024-01-{30 - i:02}" for i in range(20)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,y,day", *rows]))
    dl("prepare", "table", "t.csv", "--target", "y", "--drop", "day", "--out", "data/t")
    line = ("train", "regression", "--data", "data/t", "--epochs", "1", "--threads", "1")
    dl(*line, "--folds", "0.3", "--repeats", "3", "--name", "held")
    configs = [RunDir(tmp_path / f"runs/held/folds/{number:02}").config() for number in range(1, 4)]
    assert [(config["fold"], config["seed"]) for config in configs] == [(1, 0), (1, 1), (1, 2)]
    report = json.loads(dl("eval", "held", "--json")[0])
    assert [fold["items"] for fold in report["folds"]] == [6, 6, 6]
    dl(*line, "--folds", "time:3,day", "--name", "later")
    report = json.loads(dl("eval", "later", "--json")[0])
    assert [fold["items"] for fold in report["folds"]] == [5, 5, 5]
    one = json.loads(dl("eval", "runs/later/folds/03", "--json", "--no-plots")[0])
    assert one["metrics"] == report["folds"][2]["metrics"]


def test_a_cross_validation_that_fails_at_once_leaves_no_run(dl, tmp_path):
    dl(*LINE, "--group", "town", expect=2)
    dl(*LINE[:-6], "--folds", "2000", expect=2)
    dl(*LINE[:-6], "--folds", "1000", "--val-fraction", "0.9", "--lr", "-1", expect=2)
    assert not list((tmp_path / "runs").glob("*/run.json"))


def test_leaving_one_out_has_the_metrics_of_all_predictions(dl, tmp_path):
    rows = [f"{i % 5},{i % 3},{2 * (i % 5) + i % 3}" for i in range(12)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,y", *rows]))
    dl("prepare", "table", "t.csv", "--target", "y", "--out", "data/t")
    _, err = dl("train", "regression", "--data", "data/t", "--folds", "loo", "--epochs", "1", "--threads", "1")
    assert "over all predictions" in err
    out, _ = dl("eval", "latest", "--json")
    report = json.loads(out)
    errors = [fold["metrics"]["mae"] for fold in report["folds"]]
    assert report["metrics"]["mae"] == pytest.approx(statistics.fmean(errors))
    assert report["metrics"]["rmse"] == pytest.approx(statistics.fmean(error**2 for error in errors) ** 0.5)
    assert report["metrics"]["r2"] is not None
    assert report["fold_means"]["rmse"] is None  # it would be the MAE
    assert report["fold_means"]["mae"] == pytest.approx(report["metrics"]["mae"])
    assert report["standard_errors"]["mae"] == pytest.approx(statistics.stdev(errors) / 12**0.5)
    dl("eval", "latest", "--fail-under", f"rmse={1.01 * report['metrics']['mae']}", expect=7)
    out, _ = dl("eval", "latest")
    assert out.splitlines()[0].split() == ["metric", "all", "predictions", "mean", "of", "folds", "standard", "error"]


SUMMARY = {
    "data": "data/digits",
    "items": 40,
    "metrics": {"accuracy": 0.5, "auc": None},
    "fold_means": {"accuracy": 0.5, "auc": None},
    "standard_errors": {"accuracy": 0.1, "auc": None},
    "lower_is_better": [],
    "folds": [{}, {}],
}
BASELINES = {"baselines": {"majority": {"accuracy": 0.1}}, "baseline_errors": {"majority": {"accuracy": None}}}


def kept_of(tmp_path, summary, *, with_baselines=False, num_folds=2):
    parent = RunDir(tmp_path / "parent")
    (parent.path / "eval").mkdir(parents=True, exist_ok=True)
    runs = [RunDir(parent.path / "folds" / str(number)) for number in range(num_folds)]
    for run in runs:
        run.best_checkpoint.parent.mkdir(parents=True, exist_ok=True)
        run.best_checkpoint.touch()
        os.utime(run.best_checkpoint, (0, 0))
    (parent.path / "eval" / SUMMARY_FILE).write_text(json.dumps(summary))
    return _kept_summary(parent, runs, Path("data/digits"), with_baselines=with_baselines)


def test_a_stored_summary_is_taken_for_the_same_data_folds_and_baselines(tmp_path):
    assert kept_of(tmp_path, SUMMARY) == {**SUMMARY, "run": str(tmp_path / "parent")}
    assert kept_of(tmp_path, SUMMARY, with_baselines=True) is None
    for asked in (False, True):
        assert kept_of(tmp_path, {**SUMMARY, **BASELINES}, with_baselines=asked) is not None
    assert kept_of(tmp_path, {**SUMMARY, "data": "data/other"}) is None
    assert kept_of(tmp_path, SUMMARY, num_folds=3) is None


@pytest.mark.parametrize("value", [None, "x", 3, True, [], {}, [1], {"accuracy": "x"}, {"accuracy": [1]}, 10**400])
@pytest.mark.parametrize("name", (*SUMMARY, *BASELINES))
def test_a_damaged_summary_is_computed_again(name, value, tmp_path):
    """An empty list of folds or of metrics may be sound: what is taken has everything that is printed."""
    found = kept_of(tmp_path, {**SUMMARY, **BASELINES, name: value})
    if found is None:
        return
    assert type(found["items"]) is int and len(found["folds"]) == 2
    for each in found["metrics"]:
        assert found["fold_means"][each] is None or float(found["fold_means"][each]) >= 0
        assert found["standard_errors"][each] is None or float(found["standard_errors"][each]) >= 0
    assert set(found["baselines"]) == set(found["baseline_errors"])


def test_weights_that_are_newer_than_the_summary_make_it_old(tmp_path):
    assert kept_of(tmp_path, SUMMARY) is not None
    parent = RunDir(tmp_path / "parent")
    runs = [RunDir(parent.path / "folds" / str(number)) for number in range(2)]
    os.utime(runs[1].best_checkpoint, (2**33, 2**33))
    assert _kept_summary(parent, runs, Path("data/digits"), with_baselines=False) is None


def test_a_fold_without_a_best_epoch_is_as_old_as_its_newest_weights(tmp_path):
    assert kept_of(tmp_path, SUMMARY) is not None
    parent = RunDir(tmp_path / "parent")
    runs = [RunDir(parent.path / "folds" / str(number)) for number in range(2)]
    runs[1].best_checkpoint.rename(runs[1].last_checkpoint)
    assert _kept_summary(parent, runs, Path("data/digits"), with_baselines=False) is not None
    os.utime(runs[1].last_checkpoint, (2**33, 2**33))
    assert _kept_summary(parent, runs, Path("data/digits"), with_baselines=False) is None
    runs[1].last_checkpoint.unlink()
    assert _kept_summary(parent, runs, Path("data/digits"), with_baselines=False) is None
