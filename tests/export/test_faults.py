"""Each fault of a model file is found, and a sound file has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dlcli.core.errors import RunError
from dlcli.export.faults import examine

FLOAT = TensorProto.FLOAT


def build(
    weight: np.ndarray | None = None,
    *,
    batch: int | str = "n",
    kind: str = "Relu",
    domain: str = "",
    shape: tuple[int | str, ...] = (4,),
    opset: int = 17,
) -> onnx.ModelProto:
    weight = np.ones((3, 4), np.float32) if weight is None else weight
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="first"),
        helper.make_node(kind, ["h"], ["y"], domain=domain),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, [batch, 3])],
        [helper.make_tensor_value_info("y", FLOAT, [batch, *shape])],
        [numpy_helper.from_array(weight, "w")],
    )
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="loom")
    model.ir_version = 8
    return model


def save(path: Path, model: onnx.ModelProto, **props: str) -> Path:
    if props:
        helper.set_model_props(model, {key.replace("__", "."): value for key, value in props.items()})
    path.write_bytes(model.SerializeToString())
    return path


def states(path: Path) -> dict[str, str]:
    return {finding.what: finding.state for finding in examine(path)}


def found(path: Path, what: str) -> Any:
    return next(finding for finding in examine(path) if finding.what == what)


def test_a_sound_foreign_file_lacks_our_metadata_alone(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", build())
    assert {what for what, state in states(path).items() if state != "ok"} == {"metadata"}


OURS = {
    "dlcli__schema": "2",
    "dlcli__task": '"classification"',
    "dlcli__assets": "{}",
    "dlcli__inputs": '["x"]',
    "dlcli__outputs": '["y"]',
}


def test_our_metadata_is_checked(tmp_path: Path) -> None:
    assert states(save(tmp_path / "a.onnx", build(), **OURS))["metadata"] == "ok"
    assert states(save(tmp_path / "b.onnx", build(), **{**OURS, "dlcli__schema": "99"}))["metadata"] == "fault"
    assert states(save(tmp_path / "c.onnx", build(), **{**OURS, "dlcli__assets": "3"}))["metadata"] == "fault"


def test_weights_that_are_no_numbers_are_a_fault(tmp_path: Path) -> None:
    weight = np.ones((3, 4), np.float32)
    weight[1, 2] = np.nan
    finding = found(save(tmp_path / "m.onnx", build(weight)), "weights")
    assert (finding.state, finding.found) == ("fault", "1 of 1 tensors hold NaN: w")
    weight[1, 2] = np.inf
    assert found(save(tmp_path / "m.onnx", build(weight)), "weights").state == "warning"


def test_a_fixed_batch_is_told(tmp_path: Path) -> None:
    finding = found(save(tmp_path / "m.onnx", build(batch=8)), "sizes")
    assert finding.state == "warning"
    assert "takes 8 at a time" in finding.found


def test_an_operator_that_the_runtime_does_not_know_is_named(tmp_path: Path) -> None:
    finding = found(save(tmp_path / "m.onnx", build(kind="Swirl", domain="org.example")), "ONNX Runtime")
    assert finding.state == "fault"
    assert "does not know org.example::Swirl" in finding.found


def test_shapes_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    assert states(save(tmp_path / "m.onnx", build(shape=(9,))))["shapes"] == "warning"
    assert states(save(tmp_path / "n.onnx", build(np.ones((7, 4), np.float32))))["shapes"] == "warning"


def test_folders_of_the_machine_that_wrote_it_are_told(tmp_path: Path) -> None:
    model = build()
    entry = model.graph.node[0].metadata_props.add()
    entry.key, entry.value = "trace", 'File "/home/ann/nets/cats.py", line 3'
    finding = found(save(tmp_path / "m.onnx", model), "paths")
    assert finding.state == "warning"
    assert "/home/ann/nets/cats.py" in finding.found


def test_sizes_that_depend_on_values_are_named(tmp_path: Path) -> None:
    model = build(kind="NonZero", shape=("k",))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    assert "NonZero" in found(save(tmp_path / "m.onnx", model), "dynamic").found


def test_missing_and_truncated_weights_are_faults(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save_model(build(), str(path), save_as_external_data=True, location="m.data", size_threshold=0)
    assert states(path)["weights"] == "ok"
    (tmp_path / "m.data").write_bytes(b"123")
    assert states(path) == {"weights": "fault"}
    (tmp_path / "m.data").unlink()
    assert states(path) == {"weights": "fault"}


def test_weights_outside_the_folder_are_a_fault_and_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save_model(build(), str(path), save_as_external_data=True, location="m.data", size_threshold=0)
    model = onnx.load(str(path), load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = "../../etc/passwd"
    finding = found(save(path, model), "weights")
    assert finding.state == "fault"
    assert "outside its folder" in finding.found


def test_a_tensor_with_too_few_bytes_is_a_fault(tmp_path: Path) -> None:
    model = build()
    model.graph.initializer[0].raw_data = b"1234"
    assert found(save(tmp_path / "m.onnx", model), "weights").state == "fault"


def test_an_opset_from_the_future_is_told(tmp_path: Path) -> None:
    assert states(save(tmp_path / "m.onnx", build(opset=99)))["opset"] == "warning"


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"hello")
    for name in ("m.onnx", "none.onnx"):
        with pytest.raises(RunError):
            list(examine(tmp_path / name))
