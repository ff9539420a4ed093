"""Files that are built by hand are described as they were built, whatever is in them."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dlcli.core.errors import RunError
from dlcli.export.looking import MAX_ENTRIES, MAX_TEXT, Value, look_into_onnx, look_into_torchscript

FLOAT = TensorProto.FLOAT


def build(**more: Any) -> onnx.ModelProto:
    """Return a model of a linear layer and a foreign operator."""
    weight = np.arange(12, dtype=np.float32).reshape(3, 4)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Swirl", ["r"], ["y"], domain="org.example"),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", FLOAT, ["n", 4])],
        [numpy_helper.from_array(weight, "w")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("org.example", 2)]
    return helper.make_model(graph, opset_imports=opsets, producer_name="loom", producer_version="7", **more)


def save(path: Path, model: onnx.ModelProto) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def test_a_foreign_file_is_described_as_it_was_built(tmp_path: Path) -> None:
    facts = look_into_onnx(save(tmp_path / "m.onnx", build()))
    assert facts.inputs == (Value("x", "float32", ("n", 3)),)
    assert facts.outputs == (Value("y", "float32", ("n", 4)),)
    assert facts.operators == {"MatMul": 1, "Relu": 1, "org.example::Swirl": 1}
    assert (facts.parameters, facts.tensors, facts.producer) == (12, 1, "loom 7")
    assert facts.opsets == {"": 17, "org.example": 2}
    assert (facts.metadata, facts.external) == ({}, {})
    assert facts.bytes == (tmp_path / "m.onnx").stat().st_size


def test_our_metadata_is_decoded_and_others_stay_texts(tmp_path: Path) -> None:
    model = build()
    helper.set_model_props(model, {"dlcli.task": '"classification"', "author": "ann", "dlcli.bad": "{"})
    facts = look_into_onnx(save(tmp_path / "m.onnx", model))
    assert facts.metadata == {"dlcli.task": "classification", "author": "ann", "dlcli.bad": "{"}


def test_what_a_foreign_file_says_is_bounded(tmp_path: Path) -> None:
    model = build()
    helper.set_model_props(model, {f"k{number}": "x" * 10_000 for number in range(500)})
    model.producer_name = "p" * 10_000
    facts = look_into_onnx(save(tmp_path / "m.onnx", model))
    assert len(facts.metadata) == MAX_ENTRIES
    assert all(len(text) <= MAX_TEXT + 1 for text in facts.metadata.values())
    assert len(facts.producer) <= 80


def test_weights_in_another_file_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save_model(
        build(), str(path), save_as_external_data=True, location="m.data", size_threshold=0, convert_attribute=False
    )
    facts = look_into_onnx(path)
    assert facts.external == {"m.data": (tmp_path / "m.data").stat().st_size}
    (tmp_path / "m.data").unlink()
    with pytest.raises(RunError, match="missing or truncated"):
        look_into_onnx(path)


@pytest.mark.parametrize("cut", [3, 50, 200])
def test_a_truncated_file_is_refused(cut: int, tmp_path: Path) -> None:
    whole = build().SerializeToString()
    (tmp_path / "m.onnx").write_bytes(whole[: len(whole) - cut])
    with pytest.raises(RunError, match="damaged ONNX file"):
        look_into_onnx(tmp_path / "m.onnx")


def test_rubbish_in_place_of_the_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08\x08" + b"\x3a\x03\xff\xff\xff" + b"\x42\x02\x10\x11")
    with pytest.raises(RunError, match="damaged ONNX file"):
        look_into_onnx(tmp_path / "m.onnx")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "m.onnx").open("wb") as stream:
        stream.write(b"\x08\x08\x3a")
        stream.truncate(2**31 + 10)
    with pytest.raises(RunError, match="larger than 2 GB"):
        look_into_onnx(tmp_path / "m.onnx")


def torchscript(path: Path, metadata: Any = None) -> Path:
    import torch

    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
    extra = {"dlcli.json": json.dumps(metadata)} if metadata is not None else {}
    traced = torch.jit.trace(module, torch.zeros(1, 3))
    torch.jit.save(traced, str(path), _extra_files=extra)
    return path


def test_a_torchscript_file_is_described_without_being_run(tmp_path: Path) -> None:
    facts = look_into_torchscript(torchscript(tmp_path / "m.torchscript", {"task": "toy", "schema": 2}))
    assert facts.operators == {"linear": 1, "relu": 1}
    assert (facts.parameters, facts.tensors) == (16, 2)
    assert facts.metadata == {"dlcli.task": "toy", "dlcli.schema": 2}


def test_a_foreign_torchscript_file_has_no_metadata(tmp_path: Path) -> None:
    assert look_into_torchscript(torchscript(tmp_path / "m.pt")).metadata == {}


def test_a_torchscript_file_with_changed_bytes_is_refused(tmp_path: Path) -> None:
    path = torchscript(tmp_path / "m.torchscript")
    with zipfile.ZipFile(path) as archive:
        info = next(each for each in archive.infolist() if "/data/" in each.filename)
    content = bytearray(path.read_bytes())
    content[content.index(b"data/" + info.filename.rpartition("/")[2].encode()) + 64] ^= 255
    for place in range(info.header_offset + 60, info.header_offset + 130):
        content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunError, match="damaged TorchScript file"):
        look_into_torchscript(path)


def test_looking_into_files_imports_no_torch(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", build())
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from dlcli.export.looking import look_into_onnx\n"
        "from dlcli.export.faults import examine\n"
        f"look_into_onnx(Path({str(path)!r})); list(examine(Path({str(path)!r})))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
