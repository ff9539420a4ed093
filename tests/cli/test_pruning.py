"""`dl export --prune`: what is lost is measured, printed, stored, and refused where it is too much."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from dlcli.core.errors import ExitCode

THREADS = ("--threads", "1")


def weights_of(path: str) -> np.ndarray:
    """Return the filters and matrices in an ONNX file, joined."""
    tensors = [numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer]
    return np.concatenate([each.ravel() for each in tensors if each.ndim >= 2])


def test_half_of_the_weights_are_zero_in_the_file_which_says_what_that_costs(bench: Any, dl: Any) -> None:
    run = str(bench.run())
    whole = json.loads(dl("eval", run, "--json", "--no-plots", *THREADS).out)["metrics"]["accuracy"]
    answer = dl("export", run, "--prune", "0.5", "--json", "--out", "pruned.onnx", *THREADS)
    assert answer.code == 0
    pruned = json.loads(answer.out)["pruned"]
    assert (pruned["metric"], pruned["split"], pruned["before"]) == ("accuracy", "test", whole)
    assert f"{whole:.4f}" in answer.err and f"{pruned['after']:.4f}" in answer.err
    assert pruned["zeros"] == round(pruned["weights"] / 2)
    share = (weights_of("pruned.onnx") == 0).mean()
    assert 0.45 < share < 0.55
    assert dl("export", run, "--out", "whole.onnx", *THREADS).code == 0
    assert (weights_of("whole.onnx") == 0).mean() < 0.01, "the run itself is as it was"
    metadata = {each.key: each.value for each in onnx.load("pruned.onnx").metadata_props}
    assert any("pruned" in text for text in (*metadata, *metadata.values()))


def test_no_file_is_written_if_too_much_is_lost(bench: Any, dl: Any, monkeypatch: Any) -> None:
    run = str(bench.run())
    accuracies = iter([0.9, 0.7])

    def measured(*arguments: Any) -> Any:
        report = {"metrics": {"accuracy": next(accuracies)}}
        return type("Measured", (), {"report": report})()

    monkeypatch.setattr("dlcli.engine.runs.evaluation.measure_task", measured)
    answer = dl("export", run, "--prune", "0.5", "--max-drop", "0.1", "--out", "pruned.onnx", *THREADS)
    assert answer.code == ExitCode.PARITY
    assert "accuracy gets worse by 0.2000" in answer.err
    assert not Path("pruned.onnx").exists()
