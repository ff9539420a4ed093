"""What only whole runs of the detection task show: folds, two processes, and a repetition."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys

import pytest
import torch
from toys.painted import painted_voc, photos_of

from dlcli.cli.app import run
from dlcli.engine.runs.checkpoint import read_checkpoint
from dlcli.tasks.detection.task import DetectionTask

pytestmark = pytest.mark.slow

SMALL = (
    *("--backbone", "wren", "--pretrained", "none", "--width", "16", "--image-size", "64"),
    *("--epochs", "1", "--precision", "fp32", "--threads", "1", "--augment", "none"),
)


@pytest.fixture
def dl(tmp_path, monkeypatch):
    """A function (words) -> the last line of stdout of `dl`, in a folder with data in `photos`."""
    names = list(photos := photos_of(18))
    painted_voc(tmp_path / "photos", photos, train=" ".join(names[:12]), test=" ".join(names[12:]))
    monkeypatch.chdir(tmp_path)

    def answer(*words: str) -> str:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(words)
        assert code == 0, err.getvalue()
        return out.getvalue().splitlines()[-1]

    return answer


def test_each_image_is_tested_in_one_fold_and_all_are_measured_together(dl, tmp_path):
    parent = tmp_path / dl("train", "./photos", *SMALL, "--folds", "3", "--name", "folds")
    info = json.loads((parent / "run.json").read_text())
    assert info["status"] == "finished"
    reports = [json.loads(path.read_text()) for path in sorted(parent.rglob("eval/test.json"))]
    assert [report["num_images"] for report in reports if "num_images" in report].count(6) >= 3


def test_folds_of_different_thresholds_are_measured_together(dl, tmp_path, monkeypatch):
    numbers = iter((0.2, 0.3, 0.4))

    def calibrate(task, metric):
        del metric
        task.model.thresholds.fill_(next(numbers))

    monkeypatch.setattr(DetectionTask, "calibrate", calibrate)
    dl("train", "./photos", *SMALL, "--folds", "3", "--ema", "0", "--name", "folds")


def test_a_repetition_has_the_same_weights(dl, tmp_path):
    dl("train", "./photos", *SMALL, "--name", "first")
    dl("rerun", "first", "--check", "--name", "second")
    first, second = (read_checkpoint(tmp_path / "runs" / name / "checkpoints/last.pt") for name in ("first", "second"))
    assert first["model"].keys() == second["model"].keys()
    assert all(torch.equal(value, second["model"][name]) for name, value in first["model"].items())


def test_two_processes_measure_the_validation_part_as_one_does(dl, tmp_path):
    """At a learning rate of next to nothing the weights, and so the figures, are those of one process."""
    line = [sys.executable, "-m", "dlcli", "train", "./photos", *SMALL, "--lr", "1e-12", "--weight-decay", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    records = []
    for name, devices in (("one", "1"), ("two", "2")):
        more = ("--batch-size", "4", "--devices", devices, "--ema", "0", "--name", name)
        done = subprocess.run([*line, *more], env=environment, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        records.append(json.loads((tmp_path / "runs" / name / "metrics.jsonl").read_text()))
    assert records[0]["step"] > records[1]["step"] >= 1  # a batch is of both processes
    assert 0 <= records[0]["ap"] == pytest.approx(records[1]["ap"], abs=0.02)
    assert records[0]["loss"] == pytest.approx(records[1]["loss"], rel=0.25)
