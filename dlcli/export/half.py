"""fp16: half the size of a file, for GPUs and phones also half the time, and how much its answers may differ.

A CPU has hardly any fp16 arithmetic; ONNX Runtime converts to fp32 and back around most operators, so it gains no time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from dlcli.core.errors import ExportError, ParityError
from dlcli.export.plan import Arrays, Graph

HALF_TOLERANCE = 5e-2
"""Of floats, absolute and relative as in `verify.compare`. fp16 keeps 11 bits, 5e-4 of each value, and sums over
layers: 2e-3 was measured on the logits of a CNN for digits, 3.3e-2 on the 1,000 of EfficientNet-Lite0. A logit that
moves by 5e-2 moves a probability by at most 0.0125."""

HALF_PIXELS = 2.0
"""The same for outputs in pixels."""

HALF_UNEQUAL = 0.02
"""The share of integers, such as classes, that may differ where two scores nearly tie."""

HALF_LEVELS = 4
"""The same for integers that were rounded, such as the pixels of made images, of which each may differ by so much."""

LARGEST = 65504.0
"""The largest number in fp16."""

UNBOUNDED = 1e30
"""Constants from here on stand for infinity, as in masks, and may become the largest number of fp16."""


def loosened(graph: Graph, references: Sequence[Arrays]) -> Graph:
    """Return the graph with the tolerances of fp16, where they are larger than its own.

    Args:
        graph: with its own tolerances.
        references: the module's outputs for the samples, which say which outputs are floats.
    """
    tolerance = {}
    for name, values in references[0].items():
        is_float = np.issubdtype(values.dtype, np.floating)
        bound = (HALF_PIXELS if name in graph.absolute else HALF_TOLERANCE) if is_float else HALF_UNEQUAL
        bound = 1.0 if name in graph.largest_step else bound
        tolerance[name] = max(graph.tolerance_of(name, values.dtype), bound)
    levels = {name: max(step, HALF_LEVELS) for name, step in graph.largest_step.items()}
    return replace(graph, tolerance=tolerance, largest_step=levels)


def halve(path: Path) -> None:
    """Turn an ONNX file's weights and arithmetic into fp16, in place; its inputs and outputs stay as they are.

    Operators without fp16 (non-maximum suppression, the largest k, running sums) compute in fp32.

    Raises:
        ParityError: a weight is beyond what fp16 can hold.
        ExportError: the weights are in a file of their own.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    model = onnx.load(str(path), load_external_data=False)
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ExportError("--half: the weights are too large for one file", hint="leave out --half")
        if tensor.data_type == onnx.TensorProto.FLOAT:
            _check_range(tensor)
    inputs = [(value.name, value.type.tensor_type.elem_type) for value in (*model.graph.input, *model.graph.output)]
    halved = convert_float_to_float16(model, keep_io_types=True)
    program = OnnxModel(halved)
    program.topological_sort()  # the casts stand at the end of the list
    multiply_before_moving(program.model)
    program.topological_sort()
    made: onnx.ModelProto = program.model
    outer = [(value.name, value.type.tensor_type.elem_type) for value in (*made.graph.input, *made.graph.output)]
    if inputs != outer:
        raise ExportError("--half: the inputs or outputs would change")
    onnx.checker.check_model(made)
    path.write_bytes(made.SerializeToString())


def multiply_before_moving(model: onnx.ModelProto) -> None:
    """Let a product with a matrix come before the transposition that moves the first axis, in place.

    The two can change places, since the matrix meets the last axis alone. In the other order ONNX Runtime (1.32) dies
    of a segmentation fault when it opens an fp16 graph on a CPU: it joins the two and then has no fp16 kernel for them.
    An LSTM over (time, items, features) before a layer over (items, time, features) is such a pair.

    Args:
        model: its nodes are in topological order, and need not be afterwards.
    """
    graph = model.graph
    matrices = {each.name for each in graph.initializer if len(each.dims) == 2}
    made_by = {name: node for node in graph.node for name in node.output}
    for node in list(graph.node):
        move = made_by.get(node.input[0]) if node.op_type == "MatMul" and node.input[1] in matrices else None
        if move is None or not _moves_first_axis(move):
            continue
        answer = node.output[0]
        node.input[0], node.output[0] = move.input[0], f"{answer}_before"
        made_by[answer] = onnx.helper.make_node(
            "Transpose", [node.output[0]], [answer], f"{answer}_move", perm=_axes_of(move)
        )
        graph.node.append(made_by[answer])
    used = {name for node in graph.node for name in node.input} | {each.name for each in graph.output}
    for move in [each for each in graph.node if _moves_first_axis(each) and each.output[0] not in used]:
        graph.node.remove(move)


def _axes_of(node: onnx.NodeProto) -> list[int]:
    return next((list(each.ints) for each in node.attribute if each.name == "perm"), [])


def _moves_first_axis(node: onnx.NodeProto) -> bool:
    """Return whether a node puts the first of three or more axes right before the last one."""
    axes = _axes_of(node) if node.op_type == "Transpose" else []
    return len(axes) > 2 and axes == [*range(1, len(axes) - 1), 0, len(axes) - 1]


def _check_range(tensor: onnx.TensorProto) -> None:
    values = onnx.numpy_helper.to_array(tensor)
    finite = np.abs(values[np.isfinite(values) & (np.abs(values) < UNBOUNDED)])
    if finite.size and finite.max() > LARGEST:
        raise ParityError(
            f"--half: the weight {tensor.name} reaches {finite.max():.3g}, and fp16 ends at {LARGEST:g}",
            hint="leave out --half",
        )
