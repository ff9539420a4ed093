"""int8 files: what becomes int8 and what does not, learned from real inputs, with the metadata of the original."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from dlcli.core.errors import ExportError
from dlcli.export.exporting import export_model
from dlcli.export.plan import cut_samples, single_graph
from dlcli.export.quantise import DYNAMIC, STATIC, find_layers, outer_nodes, quantise_file, set_metadata, unstack
from dlcli.export.runtime import open_model

METADATA = {"task": "classification", "assets": {"labels": ["a", "b"]}}


class Images(nn.Module):
    """(N, 3, 16, 16) uint8 to (N, 4): normalisation, two convolutions, a matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(8, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body((images.float() - 128) / 50).mean((2, 3)))


class Boxes(Images):
    """The same without a matrix: its last convolution gives boxes, which are decoded."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.exp(self.body((images.float() - 128) / 50).mean((2, 3))) * 4 + 1


class Rows(nn.Module):
    """(N, 8) to (N, 2) by matrices alone."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, rows: Tensor) -> Tensor:
        return self.net(rows)


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 3, 16, 16), np.uint8)


@pytest.fixture
def exported(tmp_path: Path) -> Callable[..., Path]:
    def export(module: nn.Module, name: str, values: np.ndarray) -> Path:
        torch.manual_seed(0)
        plan = single_graph(
            module, inputs=(name,), outputs=("answer",), samples=cut_samples({name: values}), metadata=METADATA
        )
        path = tmp_path / "plain.onnx"
        export_model(plan, "onnx", path, report=lambda _: None)
        return path

    return export


def batches() -> Iterator[dict[str, np.ndarray]]:
    for part in np.split(pixels(20), 5):
        yield {"images": part}


def kinds(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(str(path)).graph.node]


def test_convolutions_are_static_in_integers_of_8_bits_by_channel(exported: Callable[..., Path]) -> None:
    plain = exported(Images(), "images", pixels(11))
    target = plain.with_name("int8.onnx")
    found = quantise_file(plain, target, batches())
    assert (found.method, found.layers, found.num_items) == (STATIC, {"Conv": 2, "Gemm": 1}, 20)
    constants = {each.name: each for each in onnx.load(str(target)).graph.initializer}
    weights = [each for each in constants.values() if each.data_type == onnx.TensorProto.INT8 and len(each.dims) == 4]
    assert len(weights) == 2
    for each in weights:
        values = onnx.numpy_helper.to_array(each)
        assert np.abs(values.astype(int)).max() <= 64, "7 of 8 bits: sums of products fit into 16"
        scale = next(other for name, other in constants.items() if name == each.name.replace("_quantized", "_scale"))
        assert list(scale.dims) == [8], "a scale for each output channel"
    assert any(each.data_type == onnx.TensorProto.UINT8 for each in constants.values()), "activations are uint8"


def test_the_answers_stay_near_and_the_metadata_the_same(exported: Callable[..., Path]) -> None:
    plain = exported(Images(), "images", pixels(11))
    target = plain.with_name("int8.onnx")
    quantise_file(plain, target, batches())
    one, other = open_model(plain), open_model(target)
    assert other.metadata == one.metadata and other.inputs == one.inputs and other.outputs == one.outputs
    reference, answer = (each.run({"images": pixels(7)})["answer"] for each in (one, other))
    assert 0 < np.abs(reference - answer).max() < 0.1 * np.abs(reference).max()
    assert sorted(path.name for path in plain.parent.iterdir()) == ["int8.onnx", "plain.onnx"]


def test_normalisation_and_decoding_stay_in_float_with_the_last_convolution(exported: Callable[..., Path]) -> None:
    plain = exported(Boxes(), "images", pixels(11))
    target = plain.with_name("int8.onnx")
    found = quantise_file(plain, target, batches())
    assert found.layers == {"Conv": 1}
    left = found.left_out_by_operator
    assert left["Conv"] == 1 and left["Exp"] == 1 and left["Cast"] == 1
    nodes = onnx.load(str(target)).graph.node
    made_by = {name: node.op_type for node in nodes for name in node.output}
    [decoding] = [node for node in nodes if node.op_type == "Exp"]
    assert made_by[decoding.input[0]] != "DequantizeLinear"


def test_outer_nodes_are_those_without_weights_on_one_side() -> None:
    def node(kind: str, inputs: list[str], output: str) -> onnx.NodeProto:
        return onnx.helper.make_node(kind, inputs, [output], name=output)

    nodes = [
        node("Cast", ["x"], "cast"),
        node("Conv", ["cast", "w"], "first"),
        node("Relu", ["first"], "relu"),
        node("Shape", ["first"], "shape"),
        node("Conv", ["relu", "w"], "last"),
        node("Sigmoid", ["last"], "scores"),
        node("Conv", ["relu", "made"], "unknown"),
    ]
    weights = onnx.numpy_helper.from_array(np.zeros((8, 8, 3, 3), np.float32), "w")
    graph = onnx.helper.make_graph(nodes, "g", [], [], [weights])
    model = onnx.helper.make_model(graph)
    layers = find_layers(model)
    assert layers == {"first": "Conv", "last": "Conv"}
    assert dict(outer_nodes(model, layers)) == {
        "cast": "Cast",
        "shape": "Shape",
        "last": "Conv",
        "scores": "Sigmoid",
        "unknown": "Conv",
    }


def test_matrices_alone_are_dynamic_and_need_no_inputs(exported: Callable[..., Path]) -> None:
    rows = np.random.default_rng(0).normal(size=(11, 8)).astype(np.float32)
    plain = exported(Rows(), "rows", rows)
    target = plain.with_name("int8.onnx")
    found = quantise_file(plain, target, None)
    assert (found.method, found.layers, found.num_items, found.left_out) == (DYNAMIC, {"Gemm": 2}, 0, ())
    assert kinds(target).count("MatMulInteger") == 2
    reference, answer = (open_model(each).run({"rows": rows})["answer"] for each in (plain, target))
    assert 0 < np.abs(reference - answer).max() < 0.1


class Members(nn.Module):
    """(N, 8) to (N, 2) by the mean of members whose matrices lie in stacks, as those of table networks do."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.first, self.last = (nn.Parameter(torch.randn(count, *shape)) for shape in ((8, 32), (32, 2)))

    def forward(self, rows: Tensor) -> Tensor:
        hidden = torch.bmm(rows.expand(len(self.first), -1, -1), self.first).relu()
        return torch.bmm(hidden, self.last).mean(0)


def test_the_matrices_of_one_member_become_int8(exported: Callable[..., Path]) -> None:
    rows = np.random.default_rng(0).normal(size=(11, 8)).astype(np.float32)
    plain = exported(Members(1), "rows", rows)
    target = plain.with_name("int8.onnx")
    assert quantise_file(plain, target, None).layers == {"MatMul": 2}
    assert kinds(target).count("MatMulInteger") == 2
    reference, answer = (open_model(each).run({"rows": rows})["answer"] for each in (plain, target))
    assert 0 < np.abs(reference - answer).max() < 0.02 * np.abs(reference).max()


def test_stacks_of_several_members_are_refused_with_that_reason(exported: Callable[..., Path]) -> None:
    rows = np.random.default_rng(0).normal(size=(11, 8)).astype(np.float32)
    with pytest.raises(ExportError) as told:
        quantise_file(exported(Members(3), "rows", rows), Path("nowhere.onnx"), None)
    assert "the stacks of matrices of an ensemble cannot" in told.value.details[0]


def test_a_stack_of_one_stays_where_a_product_would_lose_an_axis() -> None:
    stacks = [numpy_helper.from_array(np.ones((1, 4, 4), np.float32), name) for name in ("flat", "deep", "both")]
    nodes = [
        helper.make_node("MatMul", [given, name], [f"{given}_{name}"])
        for given, name in (("two", "flat"), ("three", "deep"), ("two", "both"), ("three", "both"))
    ]
    inputs = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("two", ["N", 4]), ("three", [1, "N", 4]))
    ]
    model = helper.make_model(helper.make_graph(nodes, "graph", inputs, [], stacks))
    unstack(model)
    assert {each.name: list(each.dims) for each in model.graph.initializer} == {
        "flat": [1, 4, 4],
        "deep": [4, 4],
        "both": [1, 4, 4],
    }


def test_convolutions_without_inputs_are_refused(exported: Callable[..., Path]) -> None:
    plain = exported(Images(), "images", pixels(11))
    for given in (None, iter(())):
        with pytest.raises(ExportError):
            quantise_file(plain, plain.with_name("int8.onnx"), given)
    assert [path.name for path in plain.parent.iterdir()] == ["plain.onnx"]


def test_a_network_without_such_layers_is_refused(exported: Callable[..., Path]) -> None:
    class Plain(nn.Module):
        def forward(self, rows: Tensor) -> Tensor:
            return rows.cumsum(1)

    rows = np.random.default_rng(0).normal(size=(11, 8)).astype(np.float32)
    with pytest.raises(ExportError, match="no layer whose weights can be int8"):
        quantise_file(exported(Plain(), "rows", rows), Path("nowhere.onnx"), None)


def test_metadata_is_replaced_by_key(exported: Callable[..., Path]) -> None:
    rows = np.random.default_rng(0).normal(size=(11, 8)).astype(np.float32)
    plain = exported(Rows(), "rows", rows)
    set_metadata(plain, {"dlcli.run": '"other"', "dlcli.quantized": '{"weights":"int8"}'})
    metadata = open_model(plain).metadata
    assert (metadata["run"], metadata["quantized"]["weights"], metadata["task"]) == ("other", "int8", "classification")
