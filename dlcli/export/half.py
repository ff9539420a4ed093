"""fp16: half the size of a file, for GPUs and phones also half the time, and how much its answers may differ.

A CPU has hardly any fp16 arithmetic; ONNX Runtime converts to fp32 and back around most operators, so it gains no time.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from dlcli.core.errors import ExportError, ParityError
from dlcli.export.model_file import walk_messages
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
"""Numbers from here on stand for infinity, as in masks, and may become the largest number of fp16."""

WATCHED_INPUTS = 2**20
"""Numbers in the samples whose values are watched: all values between two operators are in memory at once."""

PLACING = frozenset(
    (
        *("Add", "Sub", "Mul", "Div", "Floor", "Ceil", "Round", "Max", "Min", "Clip", "ReduceMax", "Where", "Cast"),
        *("Concat", "Expand", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"),
    )
)
"""Operators that compute places: of boxes that are moved apart, or of integers in a list."""

_INTEGERS = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)

_TO_FP16, _TO_FP32 = "_cast_to_fp16_node", "_cast_to_fp32_node"
"""How the names of the converter's own nodes end."""


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


def halve(path: Path, samples: Sequence[Arrays]) -> None:
    """Turn an ONNX file's weights and arithmetic into fp16, in place; its inputs and outputs stay as they are.

    Operators without fp16 (non-maximum suppression, the largest k, running sums) compute in fp32, and so do places, see
    `keep_places`.

    Args:
        path: the file in fp32.
        samples: inputs for which no value may be beyond fp16. The answers of the new file do not show that, since ONNX
            Runtime computes in fp32 on a CPU.

    Raises:
        ParityError: a weight, or a value between two operators, is beyond what fp16 can hold.
        ExportError: the weights are in a file of their own.
    """
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    model = onnx.load(str(path), load_external_data=False)
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ExportError("--half: the weights are too large for one file", hint="leave out --half")
        if tensor.data_type == onnx.TensorProto.FLOAT:
            _check_range(f"weight {tensor.name}", onnx.numpy_helper.to_array(tensor))
    kept = keep_places(model.graph)
    watch_values(model, halved_values(model.graph, kept, DEFAULT_OP_BLOCK_LIST), samples)
    inputs = [(value.name, value.type.tensor_type.elem_type) for value in (*model.graph.input, *model.graph.output)]
    halved = convert_float_to_float16(model, keep_io_types=True, node_block_list=kept)
    join_casts(halved.graph)
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


def keep_places(graph: onnx.GraphProto) -> list[str]:
    """Name the nodes that compute places, in place, and return their names; fp16 holds integers up to 2048 exactly.

    Those are the nodes that move boxes of different classes apart before their suppression, by up to 80 times the side
    of an image, and those whose floats become integers: exporters divide integers, such as places in a list, as floats.
    """
    made_by = {name: node for node in graph.node for name in node.output}
    found: dict[str, onnx.NodeProto] = {}
    names = [name for node in graph.node if node.op_type == "NonMaxSuppression" for name in node.input[:2]]
    names += [node.output[0] for node in graph.node if node.op_type == "Cast" and _type_of(node) in _INTEGERS]
    while names:
        node = made_by.get(names.pop())
        if node is not None and node.op_type in PLACING and node.output[0] not in found:
            found[node.output[0]] = node
            names += node.input
    for number, node in enumerate(found.values()):
        node.name = f"place_{number}"  # exporters leave nodes without names
    return [node.name for node in found.values()]


def _type_of(cast: onnx.NodeProto) -> int:
    return next(each.i for each in cast.attribute if each.name == "to")


def halved_values(graph: onnx.GraphProto, kept: Collection[str], operators: Collection[str]) -> list[str]:
    """Return the names of the values that become fp16: all but those that pass between nodes that stay in fp32.

    Args:
        graph: of fp32.
        kept: the names of nodes that stay in fp32.
        operators: those that do.
    """

    def stays(node: Any) -> bool:
        return node.name in kept or node.op_type in operators

    read = {each.name for each in graph.output}
    for message in walk_messages(graph):
        if message.DESCRIPTOR.name == "NodeProto" and not stays(message):
            read.update(message.input)
    return [name for node in graph.node for name in node.output if name and (name in read or not stays(node))]


def watch_values(model: onnx.ModelProto, names: Collection[str], samples: Sequence[Arrays]) -> None:
    """Check that no value in a run of a graph in fp32 is beyond fp16, with the smallest of the samples.

    Raises:
        ParityError: one is.
    """
    import onnxruntime

    graph = model.graph
    ends = {each.name for each in graph.output}
    added = [onnx.ValueInfoProto(name=name) for name in names if name not in ends]
    graph.output.extend(added)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Values that an optimiser joins would be missing.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    del graph.output[len(graph.output) - len(added) :]
    wanted = [each.name for each in session.get_outputs() if each.type == "tensor(float)" and each.name in names]
    for sample in smallest(samples):
        values = {name: array for name, array in sample.items() if array.dtype == np.float32}
        values |= dict(zip(wanted, session.run(wanted, dict(sample)), strict=True)) if wanted else {}
        for name, array in values.items():
            _check_range(f"value {name}", array)


def smallest(samples: Sequence[Arrays]) -> list[Arrays]:
    """Return the smallest sample, and further ones up to `WATCHED_INPUTS`."""
    ordered = sorted(samples, key=_count)
    totals = itertools.accumulate(map(_count, ordered))
    return [each for each, total in zip(ordered, totals, strict=True) if total <= WATCHED_INPUTS] or ordered[:1]


def _count(sample: Arrays) -> int:
    return sum(array.size for array in sample.values())


def join_casts(graph: onnx.GraphProto) -> None:
    """Let values between two nodes that stay in fp32 stay so, in place: the converter makes them fp16 on their way."""
    casts = {node.output[0]: node for node in graph.node if node.op_type == "Cast"}
    for node in graph.node:
        for place, name in enumerate(node.input):
            back = casts.get(name)
            there = casts.get(back.input[0]) if back is not None and back.name.endswith(_TO_FP32) else None
            if there is not None and there.name.endswith(_TO_FP16):
                node.input[place] = there.input[0]
    while True:
        read = {name for each in walk_messages(graph) if each.DESCRIPTOR.name == "NodeProto" for name in each.input}
        unread = [
            node for node in graph.node if node.name.endswith((_TO_FP16, _TO_FP32)) and node.output[0] not in read
        ]
        if not unread:
            return
        for node in unread:
            graph.node.remove(node)


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


def _check_range(what: str, values: np.ndarray) -> None:
    finite = np.abs(values[np.isfinite(values) & (np.abs(values) < UNBOUNDED)])
    if finite.size and finite.max() > LARGEST:
        raise ParityError(
            f"--half: the {what} reaches {finite.max():.3g}, and fp16 ends at {LARGEST:g}",
            hint="leave out --half",
        )
