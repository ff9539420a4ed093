"""A lone training that is killed outright goes on to the very same end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping

import pytest
import torch

from dlcli.cli.app import run as run_line
from dlcli.core.records import read_metrics
from dlcli.core.run_dir import RunDir
from dlcli.engine.runs.checkpoint import read_checkpoint

KILLED = """
import os, signal, sys
from dlcli.cli.app import run
from dlcli.tasks.classification.task import ClassificationTask

original, count = ClassificationTask.training_step, 0

def training_step(self, batch):
    global count
    count += 1
    if count == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    yield from original(self, batch)

ClassificationTask.training_step = training_step
sys.exit(run(sys.argv[2:]))
"""

LINE = ("train", "digits", "--epochs", "3", "--threads", "1", "--precision", "fp32", "--name")


def assert_equal(first, second, where=""):
    if isinstance(first, Mapping):
        assert first.keys() == second.keys(), where
        for name in first:
            assert_equal(first[name], second[name], f"{where}.{name}")
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second), where
        for index, (one, other) in enumerate(zip(first, second, strict=True)):
            assert_equal(one, other, f"{where}[{index}]")
    elif isinstance(first, torch.Tensor):
        assert torch.equal(first, second), where
    else:
        assert first == second, where


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--model", "airnet", "--image-size", "28", "--width", "8", "--epochs", "2")])
def test_a_training_killed_outright_in_an_epoch_goes_on_to_the_same_end(tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    assert run_line([*LINE, "whole", *options]) == 0
    steps = read_metrics(tmp_path / "runs/whole/metrics.jsonl")[0]["step"]
    kill_at = steps + steps // 2  # in the second epoch
    line = [sys.executable, "-c", KILLED, str(kill_at), *LINE, "cut", *options]
    cut = subprocess.run(line, capture_output=True, text=True, timeout=300)
    assert cut.returncode == -signal.SIGKILL
    assert RunDir(tmp_path / "runs/cut").info()["status"] == "running"
    assert run_line(["train", "--resume", "cut"]) == 0

    runs = [RunDir(tmp_path / "runs" / name) for name in ("whole", "cut")]
    contents = [dict(read_checkpoint(run.last_checkpoint)) for run in runs]
    for content in contents:
        for name in ("description", "sha256"):  # the one names the run, the other is of all the content
            content.pop(name, None)
    assert_equal(*contents)
    records = [read_metrics(run.metrics_file) for run in runs]
    for record in (*records[0], *records[1]):
        record.pop("seconds"), record.pop("items_per_s")
    assert records[0] == records[1]
