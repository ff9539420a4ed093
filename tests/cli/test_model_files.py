"""`dl models FILE` and `dl doctor FILE` look into model files, ours and foreign ones."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from toys import seq

from dlcli.core.errors import ExitCode
from dlcli.export.exporting import export_model

from .conftest import RUN


@pytest.fixture
def exported(bench: Any, dl: Callable[..., Any]) -> Path:
    """The exported file of the trained run."""
    bench.run()
    answer = dl("export", RUN, "--no-card")
    assert answer.code == 0, answer.err
    return bench.home / answer.out.strip()


def foreign(path: Path, weight: np.ndarray) -> Path:
    """Write a file that another program could have written."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="loom")
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())
    return path


def test_our_own_file_shows_types_producer_and_metadata(exported: Path, dl: Callable[..., Any]) -> None:
    document = json.loads(dl("models", str(exported), "--json").out)
    assert document["types"] == {"images": "uint8", "logits": "float32"}
    assert document["metadata"]["dlcli.task"] == "classification"
    assert document["producer"].startswith("dlcli ")
    assert document["external"] == {}
    lines = dl("models", str(exported)).out.splitlines()
    assert "dlcli.task: classification" in lines
    assert any(line.startswith("dlcli.assets.labels (10): 0, 1, 2") for line in lines)


def test_our_own_file_has_no_fault(exported: Path, dl: Callable[..., Any]) -> None:
    findings = json.loads(dl("doctor", str(exported), "--json").out)["findings"]
    assert {finding["state"] for finding in findings} == {"ok"}


def test_a_foreign_file_is_shown_and_examined(bench: Any, dl: Callable[..., Any]) -> None:
    path = foreign(bench.home / "m.onnx", np.ones((3, 4), np.float32))
    lines = dl("models", str(path)).out.splitlines()
    assert "metadata: none" in lines
    answer = dl("doctor", str(path), "--json")
    states = {each["what"]: each["state"] for each in json.loads(answer.out)["findings"]}
    assert answer.code == 0
    assert (states["metadata"], states["sizes"], states["weights"]) == ("warning", "warning", "ok")


def test_a_fault_is_an_exit_code_with_advice(bench: Any, dl: Callable[..., Any]) -> None:
    path = foreign(bench.home / "m.onnx", np.full((3, 4), np.nan, np.float32))
    answer = dl("doctor", str(path))
    assert answer.code == ExitCode.RUN
    assert "1 fault: weights: 1 of 1 tensors hold NaN" in answer.err
    assert "fix: train it again" in answer.err


@pytest.mark.parametrize("command", ["models", "doctor"])
@pytest.mark.parametrize("name", ["none.onnx", "empty.onnx", "text.onnx", "cut.onnx"])
def test_damaged_files_are_answered_in_a_few_lines(command: str, name: str, bench: Any, dl: Callable[..., Any]) -> None:
    whole = foreign(bench.home / "m.onnx", np.ones((300, 4), np.float32)).read_bytes()
    bench.write("empty.onnx")
    bench.write("text.onnx", "hello, this is no model")
    bench.write("cut.onnx", whole[: len(whole) // 2])
    answer = dl(command, name)
    assert answer.code == ExitCode.RUN
    assert 0 < len(answer.err.splitlines()) <= 6
    assert "Traceback" not in answer.err


def test_options_of_data_are_refused_for_a_file(exported: Path, dl: Callable[..., Any]) -> None:
    assert dl("doctor", str(exported), "--outliers").code == ExitCode.USAGE
    assert dl("models", str(exported), "--channels", "3").code == ExitCode.USAGE


def test_a_torchscript_file_is_looked_into_without_running_it(bench: Any, dl: Callable[..., Any]) -> None:
    bench.run()
    path = dl("export", RUN, "--format", "torchscript", "--no-card", "--quiet").out.strip()
    document = json.loads(dl("models", path, "--json").out)
    assert document["kind"] == "torchscript"
    assert document["metadata"]["dlcli.task"] == "classification"
    findings = json.loads(dl("doctor", path, "--json").out)["findings"]
    assert [each["what"] for each in findings] == ["file", "metadata", "program"]


def test_a_folder_of_graphs_is_looked_into_graph_by_graph(bench: Any, dl: Callable[..., Any]) -> None:
    plan = dataclasses.replace(seq.SeqTask().export_plan(), metadata={"task": "toy-seq", "assets": {"words": ["a"]}})
    result = export_model(plan, "onnx", bench.home / "two", report=lambda line: None)
    document = json.loads(dl("models", "two", "--json").out)
    assert [graph["name"] for graph in document["graphs"]] == [f"{graph.name}.onnx" for graph in plan.graphs]
    assert document["metadata"]["dlcli.task"] == "toy-seq"
    findings = json.loads(dl("doctor", "two", "--json").out)["findings"]
    assert (findings[0]["what"], findings[0]["state"]) == ("folder", "ok")
    assert "fault" not in {finding["state"] for finding in findings}
    (result.path / f"{plan.graphs[0].name}.onnx").write_bytes(b"another")
    assert dl("doctor", "two").code == ExitCode.RUN
