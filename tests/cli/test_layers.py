"""`dl models RUN|FILE`: the layers of a run, a checkpoint and an ONNX file are those of the same network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_inputs.arrange import RUN

from dlcli.core.errors import ExitCode

SAME = ("parameters", "multiply_adds", "parameter_bytes", "receptive_field", "image_size")


def found(answer: Any) -> dict[str, Any]:
    assert answer.code == 0, answer.err
    document: dict[str, Any] = json.loads(answer.out)
    return document


def test_a_run_and_its_checkpoint_show_the_network_at_the_size_of_its_data(bench: Any, dl: Callable[..., Any]) -> None:
    bench.run()
    of_run = found(dl("models", RUN, "--json"))
    network = found(dl("models", "lenet", "--image-size", "8", "--channels", "1", "--num-classes", "10", "--json"))
    assert {name: of_run[name] for name in SAME} == {name: network[name] for name in SAME}
    assert of_run["layers"] == network["layers"]
    assert of_run["source"] == f"lenet of {RUN}"
    assert sum(layer["multiply_adds"] for layer in of_run["layers"]) == of_run["multiply_adds"]
    assert sum(layer["bytes_moved"] for layer in of_run["layers"]) == of_run["bytes_moved"]
    of_file = found(dl("models", f"runs/{RUN}/checkpoints/best.pt", "--json"))
    assert of_file["layers"] == of_run["layers"]


def test_an_exported_file_costs_what_its_run_costs(bench: Any, onnx_file: Path, dl: Callable[..., Any]) -> None:
    bench.run()
    of_run, of_file = found(dl("models", RUN, "--json")), found(dl("models", str(onnx_file), "--json"))
    for name in ("multiply_adds", "image_size"):
        assert of_file[name] == of_run[name]
    assert of_file["operators"]["Conv"] == 2
    fields = [
        [layer["receptive_field"] for layer in document["layers"] if layer["kind"].startswith("Conv")]
        for document in (of_run, of_file)
    ]
    assert fields == [[5, 14], [5, 14]]
    lines = dl("models", str(onnx_file)).out.splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "parameters", "multiply-adds", "bytes", "moved", "field"]
    assert any(line.startswith("inputs: images batch x 1 x 8 x 8") for line in lines)
    assert "opset" in lines[-1]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((RUN, "--image-size", "16"), ExitCode.USAGE, "a run has its sizes"),
        (("none.onnx",), ExitCode.RUN, "no such file"),
        (("notes.txt",), ExitCode.RUN, "neither a checkpoint nor an ONNX file"),
        (("lenett",), ExitCode.USAGE, "no network 'lenett'"),
        (("cut.onnx",), ExitCode.RUN, "damaged ONNX file"),
    ],
)
def test_what_has_no_layers_is_refused(
    words: tuple[str, ...], code: ExitCode, says: str, bench: Any, onnx_file: Path, dl: Callable[..., Any]
) -> None:
    bench.run()
    bench.write("notes.txt", "no model")
    bench.write("cut.onnx", onnx_file.read_bytes()[:5000])
    answer = dl("models", *words)
    assert answer.code == code
    assert says in answer.err
    assert len(answer.err.splitlines()) <= 6
