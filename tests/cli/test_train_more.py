"""Limits, averages, profiles and values that are found by trying, from the command line to the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dlcli.core.config import read_toml

QUICK = ("--model", "lenet", "--precision", "fp32", "--device", "cpu", "--threads", "1")


def test_auto_is_resolved_to_numbers_that_the_run_keeps(bench: Any, dl: Any) -> None:
    bench.digits()
    answer = dl("train", "digits", "--epochs", "1", *QUICK, "--batch-size", "auto")
    assert answer.code == 0
    assert "batch size auto" in answer.err.splitlines()[0]
    run = Path(answer.out.strip())
    config, info = read_toml(run / "config.toml"), json.loads((run / "run.json").read_text())
    assert isinstance(config["batch_size"], int)
    [batch] = info["tuned"]
    assert batch.startswith(f"batch size {config['batch_size']}: ")
    assert batch in answer.err


def test_the_learning_rate_of_a_range_test_is_kept_and_drawn(bench: Any, dl: Any) -> None:
    bench.digits()
    answer = dl("train", "digits", "--epochs", "1", *QUICK, "-b", "128", "--lr=auto")
    assert answer.code == 0
    run = Path(answer.out.strip())
    config, info = read_toml(run / "config.toml"), json.loads((run / "run.json").read_text())
    assert 1e-6 < config["learning_rate"] < 10
    [rate] = info["tuned"]
    assert rate.startswith(f"learning rate {config['learning_rate']:g}: ")
    assert rate in answer.err
    assert (run / "plots" / "lr-range.png").stat().st_size > 1000


def test_a_flags_number_wins_over_a_files_auto(bench: Any, dl: Any) -> None:
    bench.digits()
    bench.write("c.toml", 'batch_size = "auto"\n')
    answer = dl("train", "digits", "--config", "c.toml", "--epochs", "1", *QUICK, "-b", "512")
    assert "tuned" not in json.loads((Path(answer.out.strip()) / "run.json").read_text())
    assert read_toml(Path(answer.out.strip()) / "config.toml")["batch_size"] == 512


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--batch-size", "many"), "'many' is not a whole number or auto"),
        (
            ("--lr", "automatic"),
            "'automatic' is not a number, numbers separated by commas, or auto",
        ),
        (("--batch-size", "0"), "--batch-size must be at least 1"),
        (("--max-time", "5"), "--max-time: '5' is not a length of time: write it as 90s, 5m or 1h30m"),
        (("--max-steps", "0"), "--max-steps must be at least 1"),
        (("--ema", "1"), "--ema must be at most 0.99999"),
        (("--batch-size", "auto", "--deterministic"), "a timing would decide"),
    ],
)
def test_a_wrong_value_is_answered_and_leaves_no_run(bench: Any, dl: Any, words: tuple[str, ...], told: str) -> None:
    bench.digits()
    answer = dl("train", "digits", "--model", "lenet", "--threads", "1", "--precision", "fp32", *words)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err
    assert len(answer.err.splitlines()) <= 6
    assert not list(Path().glob("runs/*/run.json"))


def test_a_limited_averaged_and_profiled_run_is_a_finished_one(bench: Any, dl: Any) -> None:
    bench.digits()
    limits = ("--max-steps", "8", "--max-time", "1h", "--ema", "0.5", "--profile", "--batch-size", "128")
    answer = dl("train", "digits", *QUICK, *limits)
    assert answer.code == 0
    run = Path(answer.out.strip())
    info = json.loads((run / "run.json").read_text())
    assert (info["status"], info["epochs"], info["best"]["step"]) == ("finished", 1, 8)
    assert "reached step 8, the last" in answer.err
    assert json.loads((run / "profile" / "step.json").read_text())["steps"] == 3
    assert "a step takes" in answer.err
    best, last = (torch.load(run / "checkpoints" / name, weights_only=True) for name in ("best.pt", "last.pt"))
    averaged = last["training"]["averaged"]
    assert all(torch.equal(value, averaged[f"module.{name}"]) for name, value in best["model"].items())
    assert not all(torch.equal(value, last["model"][name]) for name, value in best["model"].items())
    assert dl("eval", run.name, "--split", "valid", "--json").code == 0
    measured = json.loads((run / "eval" / "valid.json").read_text())["metrics"]["accuracy"]
    assert measured == pytest.approx(info["best"]["accuracy"])
    resumed = dl("train", "--resume", run.name)
    assert resumed.code == 2
    assert "--from" in resumed.err


def test_without_a_validation_part_the_last_line_tells_of_the_last_epoch(bench: Any, dl: Any) -> None:
    bench.digits()
    answer = dl("train", "digits", "--epochs", "1", *QUICK, "--batch-size", "512", "--val-fraction", "0")
    assert answer.code == 0
    assert "last epoch 1: training loss " in answer.err
    assert "(best)" not in answer.err
    assert "best epoch" not in answer.err
    assert Path(answer.out.strip()).name in dl("runs").out


def test_compiling_reaches_the_network_and_not_the_names(bench: Any, dl: Any) -> None:
    bench.digits()
    compiled: list[torch.nn.Module] = []
    bench.patch.setattr(torch.nn.Module, "compile", lambda self: compiled.append(self))
    answer = dl("train", "digits", "--epochs", "1", *QUICK, "--batch-size", "512", "--compile", "--quiet")
    assert (answer.code, len(compiled)) == (0, 1)
    saved = torch.load(Path(answer.out.strip()) / "checkpoints" / "best.pt", weights_only=True)
    assert list(saved["model"]) == list(compiled[0].state_dict())
