"""`dl rerun`: the same run again, and what differs where it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlcli.core.run_dir import RunDir
from dlcli.engine.compute.device import set_determinism
from dlcli.engine.runs.checkpoint import read_checkpoint, weights_digest

QUICK = ("--model", "lenet", "--precision", "fp32", "--device", "cpu", "--batch-size", "512", "--threads", "1")


@pytest.fixture(autouse=True)
def _as_before() -> Any:
    yield
    set_determinism(False)


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def _digest(path: str) -> str:
    return weights_digest(read_checkpoint(RunDir(Path(path.strip())).last_checkpoint))


def test_a_run_trained_again_is_the_same(bench: Any, dl: Any) -> None:
    run = bench.run()
    answer = dl("rerun", run.name, "--check")
    assert (answer.code, answer.out) == (0, "runs/digits-lenet-2\n")
    digest = _digest(str(run))
    assert _digest(answer.out) == digest
    assert answer.err.splitlines()[-1] == f"the same as runs/{run.name}: 1 epoch, weights sha256 {digest[:12]}"
    assert json.loads(Path("runs/digits-lenet-2/run.json").read_text())["rerun_of"] == run.name
    assert (run / "config.toml").read_text() == Path("runs/digits-lenet-2/config.toml").read_text()


def test_what_differs_is_named_with_what_it_ran_on_first(bench: Any, dl: Any) -> None:
    run = bench.run()
    loss = json.loads((run / "metrics.jsonl").read_text())["val_loss"]
    _edit(run / "metrics.jsonl", f'"val_loss": {loss}', '"val_loss": 0.25')
    _edit(run / "run.json", '"python": "3', '"python": "2')
    answer = dl("rerun", run.name, "--check", "--json", "--name", "again")
    assert answer.code == 6
    document = json.loads(answer.out)
    assert (document["schema"], document["run"], document["is_same"]) == ("dl.rerun/1", "runs/again", False)
    assert document["comparison"]["differences"] == [f"epoch 1: val_loss 0.25 then, {loss} now"]
    warning, *_, error, first, fix = answer.err.splitlines()
    assert warning.startswith("warning: python: 2.")
    assert error.startswith(f"error: runs/again differs from runs/{run.name} in 1 place")
    assert "val_loss 0.25 then" in first
    assert "python" in fix


def test_other_weights_and_other_data_are_differences(bench: Any, dl: Any) -> None:
    run = bench.run()
    _edit(run / "config.toml", "seed = 0", "seed = 1")
    _edit(run / "data.json", '"digits"', '"other"')
    _edit(run / "data.json", '"counts": {', '"counts": {"more": {},')
    answer = dl("rerun", run.name, "--check")
    assert answer.code == 6
    assert "first: data card: different counts" in answer.err
    assert "final weights: sha256" in answer.err


def test_without_check_nothing_is_compared(bench: Any, dl: Any) -> None:
    run = bench.run()
    _edit(run / "run.json", '"status": "finished"', '"status": "diverged"')
    answer = dl("rerun", run.name, "--quiet")
    assert (answer.code, answer.out, answer.err) == (0, "runs/digits-lenet-2\n", "")


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("run.json", '"status": "finished"', '"status": "interrupted"', "is interrupted"),
        ("config.toml", "epochs = 1", 'epochs = 1\nmax_time = "5m"', "the clock ended it"),
    ],
)
def test_what_has_no_end_of_its_own_is_not_compared(
    bench: Any, dl: Any, file: str, old: str, new: str, told: str
) -> None:
    run = bench.run()
    _edit(run / file, old, new)
    answer = dl("rerun", run.name, "--check")
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err
    assert not Path("runs/digits-lenet-2").exists()


def test_a_damaged_run_and_missing_data_are_told(bench: Any, dl: Any) -> None:
    run = bench.run()
    assert dl("rerun", run.name, "--data", "nowhere").code == 3
    _edit(run / "run.json", '"precision": "fp32"', '"precision": "fp7"')
    assert dl("rerun", run.name).code == 4
    assert dl("rerun", "nothing").code == 4


def test_deterministic_runs_of_one_seed_have_the_same_weights(bench: Any, dl: Any) -> None:
    bench.digits()
    line = ("train", "digits", "--epochs", "1", *QUICK, "--deterministic", "--quiet")
    first, second, other = dl(*line), dl(*line), dl(*line, "--seed", "1")
    assert _digest(first.out) == _digest(second.out) != _digest(other.out)
