"""What `dl export` takes its first word for, and what its output may not replace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlcli.cli.export_subject import Subject
from dlcli.core.errors import ExitCode, UsageError
from dlcli.core.run_dir import RunDir

from .conftest import RUN


def subject(run: RunDir | None = None, pretrained: str | None = None) -> Subject:
    return Subject("resnet18", run, pretrained, None, None)


def test_a_network_is_written_to_the_current_folder_and_a_run_beside_itself(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "runs" / "mine")
    assert (subject().name, subject().folder) == ("resnet18", Path())
    assert (subject(run).name, subject(run).folder) == ("mine", run.exports)


def test_the_output_replaces_neither_the_run_nor_the_weights(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "runs" / "mine")
    (run.path / "checkpoints").mkdir(parents=True)
    for out in ("run.json", "checkpoints/best.pt"):
        (run.path / out).touch()
        with pytest.raises(UsageError, match="a file of the run itself"):
            subject(run).check_out(str(run.path / out))
    weights = tmp_path / "weights.safetensors"
    weights.touch()
    (tmp_path / "link.safetensors").symlink_to(weights)
    for out in (weights, tmp_path / "link.safetensors"):
        with pytest.raises(UsageError, match="the file of weights itself"):
            subject(pretrained=str(weights)).check_out(str(out))


@pytest.mark.parametrize("out", [None, "model.onnx", "runs/mine/exports/model.onnx"])
def test_other_outputs_are_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str | None) -> None:
    monkeypatch.chdir(tmp_path)
    subject(RunDir(tmp_path / "runs" / "mine")).check_out(out)
    subject(pretrained=str(tmp_path / "weights.pt")).check_out(out)


@pytest.mark.parametrize("word", ["lenett", "./lenet", "x" * 5000])
def test_a_word_that_is_neither_run_nor_network_is_said_in_a_few_lines(bench: Any, dl: Any, word: str) -> None:
    answer = dl("export", word)
    assert answer.code in (ExitCode.USAGE, ExitCode.RUN)
    assert len(answer.err.splitlines()) <= 6
    assert not answer.out
    assert not list(bench.home.glob("*.onnx"))


def test_a_run_that_has_a_networks_name_is_what_is_meant(bench: Any, dl: Any) -> None:
    bench.run("lenet")
    answer = dl("export", "lenet", "--format", "torchscript", "--quiet")
    assert answer.code == 0, answer.err
    assert Path(answer.out.strip()).parts[:3] == ("runs", "lenet", "exports")


def test_random_weights_are_said_with_their_seed(bench: Any, dl: Any) -> None:
    answer = dl("export", "lenet", "--format", "torchscript", "--seed", "7")
    assert answer.code == 0, answer.err
    assert "random weights (seed 7)" in answer.err  # although generation has a seed of its own at inference
    assert "--pretrained" not in answer.err  # there are none for this network
    assert RUN not in answer.out
