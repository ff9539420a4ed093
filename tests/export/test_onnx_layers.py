"""The layers of ONNX files that are built by hand, so that every figure can be worked out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dlcli.core.errors import RunError, UsageError
from dlcli.export.onnx_layers import summarise_onnx

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def write(
    path: Path,
    nodes: Sequence[Any],
    shape: Sequence[int | str],
    weights: dict[str, np.ndarray],
    outputs: Sequence[str] = ("y",),
) -> Path:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(path))
    return path


def weight(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A strided convolution, ReLU, pool, convolution, mean, linear layer, for a free number of 3 x 16 x 16 images."""
    nodes = [
        helper.make_node("Conv", ["x", "net.first.weight", "net.first.bias"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("MaxPool", ["b"], ["c"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["c", "net.second.weight"], ["d"], pads=[1, 1, 1, 1], group=2),
        helper.make_node("Add", ["c", "d"], ["e"]),
        helper.make_node("GlobalAveragePool", ["e"], ["f"]),
        helper.make_node("Reshape", ["f", "shape"], ["g"]),
        helper.make_node("Gemm", ["g", "net.head.weight"], ["y"], transB=1),
    ]
    weights = {
        "net.first.weight": weight(8, 3, 3, 3),
        "net.first.bias": weight(8),
        "net.second.weight": weight(8, 4, 3, 3),
        "net.head.weight": weight(5, 8),
        "shape": np.array([0, -1], np.int64),
    }
    return write(tmp_path / "chain.onnx", nodes, ["batch", 3, 16, 16], weights)


def test_layers_are_those_worked_by_hand(chain: Path) -> None:
    graph = summarise_onnx(chain)
    found = [
        (layer.name, layer.kind, layer.output_shape, layer.parameters, layer.multiply_adds, layer.receptive_field)
        for layer in graph.summary.layers
    ]
    assert found == [
        ("net.first", "Conv", (8, 8, 8), 8 * 27 + 8, 8 * 64 * 27, 3),
        ("relu", "Relu", (8, 8, 8), 0, 0, 3),
        ("c", "MaxPool", (8, 4, 4), 0, 0, 5),
        ("net.second", "Conv", (8, 4, 4), 8 * 36, 8 * 16 * 36, 5 + 2 * 4),
        ("e", "Add", (8, 4, 4), 0, 0, 13),
        ("f", "GlobalAveragePool", (8, 1, 1), 0, 0, None),
        ("g", "Reshape", (8,), 0, 0, None),
        ("net.head", "Gemm", (5,), 40, 40, None),
    ]
    moved = [layer.bytes_moved for layer in graph.summary.layers]
    maps, pooled = 4 * 512, 4 * 128
    first = 4 * 3 * 256 + 4 * 224 + maps
    second = 2 * pooled + 4 * 288
    assert moved == [first, 2 * maps, maps + pooled, second, 3 * pooled, pooled + 32, 0, 32 + 160 + 20]
    summary = graph.summary
    assert (summary.parameters, summary.parameter_bytes) == (224 + 288 + 40, 4 * 552)
    assert summary.multiply_adds == 13_824 + 4_608 + 40
    assert summary.receptive_field == 13


def test_the_file_itself_is_described(chain: Path) -> None:
    graph = summarise_onnx(chain)
    assert graph.inputs == {"x": ("batch", 3, 16, 16)}
    assert list(graph.outputs) == ["y"]
    assert graph.operators["Conv"] == 2
    assert (graph.opset, graph.num_initialisers) == (17, 5)


def test_sides_that_are_free_must_be_chosen_and_those_that_are_fixed_cannot(tmp_path: Path, chain: Path) -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])]
    free = write(tmp_path / "free.onnx", nodes, ["n", 3, "height", "width"], {"w": weight(2, 3, 3, 3)})
    with pytest.raises(UsageError, match="any size"):
        summarise_onnx(free)
    [layer] = summarise_onnx(free, 20).summary.layers
    assert (layer.output_shape, layer.multiply_adds) == ((2, 20, 20), 2 * 400 * 27)
    with pytest.raises(UsageError, match="16 pixels"):
        summarise_onnx(chain, 20)
    assert summarise_onnx(chain, 16) == summarise_onnx(chain)


def test_recurrent_layers_products_and_transposed_convolutions_are_counted(tmp_path: Path) -> None:
    nodes = [helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=4)]
    lstm = write(tmp_path / "lstm.onnx", nodes, [7, 1, 3], {"w": weight(1, 16, 3), "r": weight(1, 16, 4)})
    # The first axis is taken for the batch, so a sequence counts by its step.
    assert summarise_onnx(lstm).summary.multiply_adds == 16 * 3 + 16 * 4
    product = write(
        tmp_path / "p.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], [1, 6, 5], {"w": weight(5, 2)}
    )
    assert summarise_onnx(product).summary.multiply_adds == 6 * 5 * 2
    nodes = [helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])]
    larger = write(tmp_path / "t.onnx", nodes, [1, 3, 4, 4], {"w": weight(3, 2, 2, 2)})
    [layer] = summarise_onnx(larger).summary.layers
    assert (layer.multiply_adds, layer.output_shape, layer.receptive_field) == (3 * 16 * 8, (2, 8, 8), None)


def test_a_weight_of_two_nodes_counts_once(tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("MatMul", ["a", "w"], ["y"])]
    graph = summarise_onnx(write(tmp_path / "s.onnx", nodes, [1, 4], {"w": weight(4, 4)}))
    assert [layer.parameters for layer in graph.summary.layers] == [16, 0]
    assert graph.summary.parameters == 16


def test_shapes_that_a_file_claims_are_not_believed(tmp_path: Path, chain: Path) -> None:
    model = onnx.load(str(chain))
    model.graph.value_info.append(helper.make_tensor_value_info("a", FLOAT, [1, 8, 9_999, 9_999]))
    onnx.save(model, str(tmp_path / "lies.onnx"))
    assert summarise_onnx(tmp_path / "lies.onnx").summary == summarise_onnx(chain).summary


@pytest.mark.parametrize("keep", [0, 1, 40, 0.5, 0.99])
def test_a_cut_file_is_damaged(tmp_path: Path, chain: Path, keep: float) -> None:
    content = chain.read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: int(keep * len(content)) if keep < 1 else int(keep)])
    with pytest.raises(RunError, match=r"cut\.onnx"):
        summarise_onnx(tmp_path / "cut.onnx")


def test_nodes_that_fit_no_shapes_are_damage_or_unknown_and_never_a_fault(tmp_path: Path) -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], strides=[0, 0])]
    path = write(tmp_path / "odd.onnx", nodes, [1, 3, 8, 8], {"w": weight(2, 7, 3, 3)})
    try:
        [layer] = summarise_onnx(path).summary.layers
    except RunError as error:
        assert "damaged" in error.message
    else:
        assert (layer.output_shape, layer.multiply_adds) == ((), 0)
    model = onnx.load(str(path))
    model.graph.initializer[0].dims[0] = -5
    onnx.save(model, str(path))
    with pytest.raises(RunError, match="impossible size"):
        summarise_onnx(path)
