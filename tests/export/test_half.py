"""fp16: half the size, the same inputs and outputs, looser tolerances, and a reason where it fails."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from onnxruntime.transformers.onnx_model import OnnxModel
from torch import nn

from dlcli.core.errors import ExitCode, ParityError, UsageError
from dlcli.export.exporting import FORMATS, Variant, check_variant, export_model
from dlcli.export.half import (
    HALF_LEVELS,
    HALF_PIXELS,
    HALF_TOLERANCE,
    HALF_UNEQUAL,
    halve,
    halved_values,
    loosened,
    multiply_before_moving,
    smallest,
    watch_values,
)
from dlcli.export.onnx import OPSET, OPSETS
from dlcli.export.plan import TOLERANCE, cut_samples, single_graph
from dlcli.export.runtime import open_model
from dlcli.export.verify import compare

METADATA = {"task": "classification", "assets": {}}


def export(plan, path, **variant):
    return export_model(plan, "onnx", path, variant=Variant(**variant), report=lambda line: None)


def opset_of(path) -> int:
    return max(entry.version for entry in onnx.load(str(path)).opset_import if entry.domain == "")


class Wide(nn.Module):
    """(N, 4) to (N, 3) by weights that are most of the file."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 500), nn.ReLU(), nn.Linear(500, 3))

    def forward(self, left, right):
        return self.layers(left), right.sum(1)


@pytest.fixture
def wide(plans):
    torch.manual_seed(0)
    return plans["two"](module=Wide(), outputs=("logits", "total"))


def test_a_file_in_half_has_half_the_size_and_keeps_the_types_of_its_ends(wide, tmp_path):
    whole, half = export(wide, tmp_path / "a.onnx"), export(wide, tmp_path / "b.onnx", half=True)
    assert half.bytes < 0.75 * whole.bytes
    assert 0 < half.max_difference < HALF_TOLERANCE
    model = onnx.load(str(half.path))
    ends = [value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)]
    assert set(ends) == {onnx.TensorProto.FLOAT}
    weights = [tensor for tensor in model.graph.initializer if np.prod(tensor.dims) > 100]
    assert {tensor.data_type for tensor in weights} == {onnx.TensorProto.FLOAT16}
    assert open_model(half.path).metadata == open_model(whole.path).metadata


@pytest.mark.parametrize("name", ["image", "sentence"])
def test_networks_with_norms_and_loops_go_through(plans, tmp_path, name):
    result = export(plans[name](), tmp_path / "a.onnx", half=True)
    assert result.max_difference < HALF_TOLERANCE


def test_a_weight_beyond_fp16_is_refused_with_its_name_and_leaves_no_file(wide, tmp_path):
    with torch.no_grad():
        wide.graphs[0].module.layers[0].weight[0, 0] = 70000
    with pytest.raises(ParityError) as caught:
        export(wide, tmp_path / "a.onnx", half=True)
    assert caught.value.exit_code == ExitCode.PARITY
    assert "fp16" in caught.value.message
    assert "65504" in " ".join(caught.value.details)
    assert caught.value.hint == "leave out --half"
    assert list(tmp_path.iterdir()) == []


class Overflowing(Wide):
    def forward(self, left, right):
        logits = self.layers(left) * 1e4 * 1e3  # beyond fp16, unlike the factors
        return logits / 1e4 / 1e3, right.sum(1)


def test_arithmetic_beyond_fp16_is_refused_with_its_value_and_leaves_no_file(plans, tmp_path):
    """ONNX Runtime gives the right answers for such a file on a CPU, where it computes in fp32."""
    plan = plans["two"](module=Overflowing(), outputs=("logits", "total"))
    with pytest.raises(ParityError, match="in fp16") as caught:
        export(plan, tmp_path / "a.onnx", half=True)
    assert all("--half: the value" in each and "fp16 ends at 65504" in each for each in caught.value.details)
    assert caught.value.hint == "leave out --half"
    assert list(tmp_path.iterdir()) == []


def test_tolerances_grow_by_the_kind_of_output_and_never_shrink(plans):
    logits = [{"logits": np.zeros((2, 5), np.float32)}]

    def of(**changes):
        return loosened(plans["image"](**changes).graphs[0], logits).tolerance["logits"]

    assert of(tolerance={"logits": 0.3}) == 0.3
    assert of(tolerance=1e-6) == of() == HALF_TOLERANCE
    assert of(tolerance={"logits": 0.5}, absolute=frozenset(("logits",))) == HALF_PIXELS
    two = loosened(plans["two"]().graphs[0], [{"scores": np.zeros((2, 6), np.float32), "best": np.zeros(2, np.int64)}])
    assert two.tolerance == {"scores": HALF_TOLERANCE, "best": HALF_UNEQUAL}


def test_answers_are_aligned_by_the_graph_s_own_function_within_the_bounds_of_fp16(plans):
    seen = []
    graph = plans["image"](align=lambda reference, answer, bounds: seen.append(bounds) or answer).graphs[0]
    logits = {"logits": np.zeros((2, 5), np.float32)}
    loosened(graph, [logits]).aligned(logits, logits)
    graph.aligned(logits, logits)
    assert [bounds["logits"] for bounds in seen] == [HALF_TOLERANCE, TOLERANCE]


def test_each_value_of_a_made_image_may_differ_by_a_few_levels(plans):
    images = [{"logits": np.zeros((2, 5), np.uint8)}]
    found = loosened(plans["image"](largest_step={"logits": 1}).graphs[0], images)
    assert (found.tolerance["logits"], found.largest_step["logits"]) == (1.0, HALF_LEVELS)
    assert compare(images[0], {"logits": images[0]["logits"] + HALF_LEVELS}, None, found.largest_step).value == 1.0
    beyond = {"logits": images[0]["logits"] + HALF_LEVELS + 1}
    assert compare(images[0], beyond, None, found.largest_step).value == np.inf


@pytest.mark.parametrize("opset", [9, 13, 17, 18, 21, 23])
def test_an_opset_is_the_file_s(wide, tmp_path, opset):
    path = export(wide, tmp_path / "a.onnx", opset=opset).path
    assert opset_of(path) == opset
    assert open_model(path).run({"left": np.ones((2, 4), np.float32), "right": np.ones((2, 5), np.float32)})


def test_without_one_it_is_the_usual(wide, tmp_path):
    assert opset_of(export(wide, tmp_path / "a.onnx").path) == OPSET
    assert all(OPSET in opsets for opsets in OPSETS.values())


def test_an_opset_that_the_only_exporter_does_not_write_is_refused(plans, tmp_path):
    from dlcli.core.errors import ExportError

    with pytest.raises(ExportError) as caught:
        export(plans["two"](exporters=("dynamo",)), tmp_path / "a.onnx", opset=12)
    assert "18 to 23, not 12" in " ".join(caught.value.details)
    assert caught.value.hint == "leave out --opset"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", FORMATS)
def test_a_variant_that_a_format_does_not_have_is_refused(format):
    check_variant(format, Variant())
    for variant, has in (
        (Variant(opset=20), FORMATS[format].has_opset),
        (Variant(half=True), FORMATS[format].has_half),
    ):
        if has:
            check_variant(format, variant)
        else:
            with pytest.raises(UsageError, match=f"not for the format {format}"):
                check_variant(format, variant)


class TimeFirst(nn.Module):
    """(N, T, 8) to (N, T, 2): a layer over (T, N, 8), moved, and then products with matrices alone."""

    def __init__(self, *, keeps: bool) -> None:
        super().__init__()
        self.first, self.second, self.last = (nn.Linear(*ends, bias=False) for ends in ((8, 8), (8, 8), (8, 2)))
        self.keeps = keeps

    def forward(self, steps):
        hidden = torch.tanh(self.first(steps.transpose(0, 1))).transpose(0, 1)
        return self.last(self.second(hidden)) + (hidden.sum(2, keepdim=True) if self.keeps else 0)


def moves_before_products(model: onnx.ModelProto) -> list[str]:
    """The pairs at which ONNX Runtime 1.32 ends the process."""
    moves = {node.output[0] for node in model.graph.node if node.op_type == "Transpose"}
    return [node.name for node in model.graph.node if node.op_type == "MatMul" and node.input[0] in moves]


@pytest.mark.parametrize("keeps", [False, True])
def test_no_product_follows_the_move_of_the_first_axis(tmp_path, keeps):
    torch.manual_seed(0)
    steps = np.random.default_rng(0).normal(size=(11, 5, 8)).astype(np.float32)
    plan = single_graph(
        TimeFirst(keeps=keeps),
        inputs=("steps",),
        outputs=("answer",),
        samples=cut_samples({"steps": steps}),
        metadata=METADATA,
    )
    path = tmp_path / "a.onnx"
    export(plan, path)
    whole = onnx.load(str(path))
    assert moves_before_products(whole)
    reference = ReferenceEvaluator(whole).run(None, {"steps": steps})
    multiply_before_moving(whole)
    program = OnnxModel(whole)
    program.topological_sort()
    onnx.checker.check_model(whole)
    assert moves_before_products(whole) == []
    assert [node.op_type for node in whole.graph.node].count("Transpose") == (3 if keeps else 2)
    np.testing.assert_allclose(ReferenceEvaluator(whole).run(None, {"steps": steps})[0], reference[0], atol=1e-6)
    result = export(plan, path, half=True)
    assert 0 < result.max_difference < HALF_TOLERANCE


@pytest.mark.parametrize("axes", [[0, 2, 1], [1, 0], [1, 2, 0], [2, 1, 0]])
def test_other_moves_stay(axes):
    weights = onnx.numpy_helper.from_array(np.ones((4, 4), np.float16), "weights")
    nodes = [
        onnx.helper.make_node("Transpose", ["x"], ["moved"], perm=axes),
        onnx.helper.make_node("MatMul", ["moved", "weights"], ["y"]),
    ]
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT16, [4] * len(axes)) for name in ("x", "y")]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "graph", ends[:1], ends[1:], [weights]))
    before = model.SerializeToString()
    multiply_before_moving(model)
    assert model.SerializeToString() == before


FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
SIDE, CLASSES = 640.0, 200


def suppressing(path):
    """Write a graph of what detectors do: boxes are moved apart by class and suppressed, and integers are divided."""
    make = onnx.helper.make_node
    nodes = [
        make("Relu", ["boxes"], ["found"]),
        make("ReduceMax", ["found"], ["largest"], axes=[1, 2], keepdims=1),
        make("Add", ["largest", "one"], ["step"]),
        make("Cast", ["labels"], ["numbers"], to=FLOAT),
        make("Mul", ["numbers", "step"], ["apart"]),
        make("Add", ["found", "apart"], ["moved"]),
        make("NonMaxSuppression", ["moved", "scores", "most", "iou"], ["kept"]),
        make("Mul", ["found", "half"], ["halves"]),
        make("Cast", ["labels"], ["dividends"], to=FLOAT),
        make("Div", ["dividends", "seven"], ["quotients"]),
        make("Floor", ["quotients"], ["whole"]),
        make("Cast", ["whole"], ["weeks"], to=INT64),
    ]
    constants = {"one": np.float32([1]), "half": np.float32([0.5]), "most": np.int64([99]), "iou": np.float32([0.5])}
    constants["seven"] = np.float32([7])
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "graph",
        [info("boxes", FLOAT, [1, 4, 4]), info("labels", INT64, [1, 4, 1]), info("scores", FLOAT, [1, 1, 4])],
        [info("kept", INT64, ["n", 3]), info("halves", FLOAT, [1, 4, 4]), info("weeks", INT64, [1, 4, 1])],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())


def test_suppression_keeps_its_classes_apart_where_fp16_is_computed(tmp_path):
    """The reference runs fp16 as it is. There, class 79 had steps of 32 pixels, and class 150 was infinitely far."""
    path = tmp_path / "a.onnx"
    suppressing(path)
    boxes = np.float32([[[10, 10, 20, 20], [21, 10, 31, 20], [600, 600, 630, 630], [608, 600, SIDE, 630]]])
    sample = {
        "boxes": boxes,
        "labels": np.int64([[[79], [79], [CLASSES - 1], [CLASSES - 1]]]),
        "scores": np.float32([[[0.9, 0.8, 0.7, 0.6]]]),
    }
    expected = ReferenceEvaluator(onnx.load(str(path))).run(None, sample)[0]
    halve(path, [sample])
    model = onnx.load(str(path))
    kept, halves, _ = ReferenceEvaluator(model).run(None, sample)
    assert kept[:, 2].tolist() == expected[:, 2].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(halves, boxes / 2)
    [scale] = [each for each in model.graph.initializer if each.name == "half"]
    assert scale.data_type == onnx.TensorProto.FLOAT16, "all else is fp16"


def test_integers_that_are_divided_as_floats_stay_exact_where_fp16_is_computed(tmp_path):
    path, places = tmp_path / "a.onnx", [3, 2057, 65_507, 671_999]
    suppressing(path)
    sample = {
        "boxes": np.ones((1, 4, 4), np.float32),
        "labels": np.int64([[[place] for place in places]]),
        "scores": np.ones((1, 1, 4), np.float32),
    }
    halve(path, [sample])
    weeks = ReferenceEvaluator(onnx.load(str(path))).run(None, sample)[2]
    assert weeks.ravel().tolist() == [place // 7 for place in places]


@pytest.mark.parametrize(("factor", "fits"), [(1e4, True), (7e4, False), (1e31, True)])
def test_values_are_watched_up_to_those_that_stand_for_infinity(factor, fits):
    nodes = [
        onnx.helper.make_node("Mul", ["x", "factor"], ["scaled"]),
        onnx.helper.make_node("TopK", ["scaled", "k"], ["best", "places"]),
        onnx.helper.make_node("CumSum", ["best", "axis"], ["sums"]),
        onnx.helper.make_node("Identity", ["places"], ["y"]),
    ]
    constants = {"factor": np.float32([1]), "k": np.int64([2]), "axis": np.int64(0)}
    ends = [
        onnx.helper.make_tensor_value_info("x", FLOAT, ["n"]),
        onnx.helper.make_tensor_value_info("y", INT64, [2]),
    ]
    initializers = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = onnx.helper.make_graph(nodes, "graph", ends[:1], ends[1:], initializers)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    names = halved_values(model.graph, [], ["TopK", "CumSum"])
    assert names == ["scaled", "places", "y"], "what passes between operators of fp32 alone stays fp32"
    before = model.SerializeToString()
    sample = {"x": np.float32([1, factor, np.inf])}
    if fits:
        watch_values(model, names, [sample])
    else:
        with pytest.raises(ParityError, match=r"the value (x|scaled) reaches 7e\+04, and fp16 ends at 65504"):
            watch_values(model, names, [sample])
    assert model.SerializeToString() == before


def test_of_large_samples_the_smallest_alone_is_watched():
    large, small = ({"x": np.zeros((count, 2**15), np.float32)} for count in (40, 33))
    assert smallest([large, small]) == [small]
    few = [{"x": np.zeros(count, np.float32)} for count in (5, 2, 3)]
    assert [each["x"].size for each in smallest([*few, large])] == [2, 3, 5]
