"""int8 weights and arithmetic for ONNX files, by ONNX Runtime's quantisation tools. Imports no torch.

Two methods, each where it suits. *Static* (networks with convolutions): the ranges of all activations are learned from
real inputs, and what lies between two quantised layers stays in integers (QDQ; uint8 activations, int8 weights, a scale
for each output channel). *Dynamic* (matrices, LSTMs and embeddings alone): weights are int8, and the range of each
activation is taken when it is known, so that no inputs are needed.

In a static graph three parts stay in float: what comes before the first layer with weights (normalisation), what comes
after the last ones (the decoding of boxes, suppression), and the last convolutions themselves, whose few outputs would
have 256 levels.

Weights use 7 of their 8 bits (`reduce_range`): on x86 without VNNI, ONNX Runtime adds products of uint8 and int8 in 16
bits, which 8 bits overflow silently. So a file gives the answers that were measured wherever it is run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from dlcli.core.errors import ExportError, first_line
from dlcli.export.plan import Arrays
from dlcli.export.quiet import silenced

STATIC, DYNAMIC = "static", "dynamic"

_WEIGHT_PLACES: Mapping[str, int] = {"Conv": 1, "Gemm": 1, "MatMul": 1, "LSTM": 1, "Gather": 0}
"""Operators whose weights become int8, and the place of the weights among their inputs."""

_LEAST_VALUES = 16
"""Smaller constants are no weights worth quantising: tables of offsets and the like."""

_BETWEEN = (
    *("Add", "Mul", "Relu", "LeakyRelu", "Clip", "Sigmoid", "HardSigmoid"),
    *("MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Resize", "Transpose", "Reshape", "Flatten", "Squeeze"),
)
"""Operators between quantised layers that ONNX Runtime computes in integers; others stay in float."""


@dataclass(frozen=True)
class Quantised:
    """What was done to a graph.

    Attributes:
        method: `STATIC` or `DYNAMIC`.
        layers: operator -> the number of nodes with int8 weights.
        left_out: (operator, node) of those that stay in float though nodes of their kind might not, and, in a static
            graph, of all before the first and after the last layer with weights.
        num_items: inputs from which the ranges of activations were learned; 0 for the dynamic method.
    """

    method: str
    layers: Mapping[str, int]
    left_out: tuple[tuple[str, str], ...]
    num_items: int

    @property
    def left_out_by_operator(self) -> dict[str, int]:
        """The numbers of nodes left in float by operator, the most frequent first."""
        return dict(Counter(operator for operator, _ in self.left_out).most_common())


def quantise_file(source: Path, target: Path, calibration: Iterable[Arrays] | None) -> Quantised:
    """Write an int8 copy of an ONNX file, with its metadata, and return what was done.

    Args:
        source: the file, whose weights are in the file itself.
        target: the new file.
        calibration: batches of real inputs; None if there are none, which a graph with convolutions needs.

    Raises:
        ExportError: the graph has no layer whose weights can be int8, or ONNX Runtime's tools fail on it.
    """
    prepared = target.with_name(target.name + ".prepared")
    try:
        with silenced():
            model = _prepared(source, prepared)
            layers = find_layers(model)
            method = STATIC if any(operator == "Conv" for operator in layers.values()) else DYNAMIC
            left_out = outer_nodes(model, layers) if method == STATIC else []
            stacks = [node.name for node in model.graph.node if node.op_type == "MatMul" and node.name not in layers]
            kept = {name: operator for name, operator in layers.items() if name not in dict(left_out)}
            if not kept:
                raise ExportError(
                    "--quantize: the network has no layer whose weights can be int8",
                    details=[
                        "convolutions before the last one, matrices, LSTMs and embeddings can, the stacks of "
                        "matrices of an ensemble cannot"
                    ],
                    hint="leave out --quantize",
                )
            if method == STATIC:
                num_items = _quantise_static(
                    prepared, target, [*(name for name, _ in left_out), *stacks], kept, calibration
                )
            else:
                num_items = 0
                _quantise_dynamic(prepared, target, kept, stacks)
            _finish(source, target)
    except ExportError:
        raise
    except Exception as error:  # the tools pass on errors of any kind from graphs that they do not know
        raise ExportError(
            f"--quantize: ONNX Runtime's tools fail on this graph: {first_line(error)}", hint="leave out --quantize"
        ) from error
    finally:
        prepared.unlink(missing_ok=True)
    left = [(operator, name) for name, operator in left_out]
    return Quantised(method, dict(Counter(kept.values()).most_common()), tuple(left), num_items)


def find_layers(model: onnx.ModelProto) -> dict[str, str]:
    """Return the name and operator of each node whose weights can be int8, in the graph's order."""
    weights = {
        each.name: each.dims
        for each in model.graph.initializer
        if each.data_type == onnx.TensorProto.FLOAT and len(each.dims) >= 2 and np.prod(each.dims) >= _LEAST_VALUES
    }
    found = {}
    for node in model.graph.node:
        place = _WEIGHT_PLACES.get(node.op_type)
        if place is None or len(node.input) <= place or node.input[place] not in weights:
            continue
        # ONNX Runtime's kernels take one matrix, not a stack of them, as the members of an ensemble have.
        if node.op_type in ("Conv", "LSTM") or len(weights[node.input[place]]) == 2:
            found[node.name] = node.op_type
    return found


def outer_nodes(model: onnx.ModelProto, layers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return name and operator of the nodes that a static graph leaves in float, see the module, in the graph's order.

    Args:
        model: its nodes have names and are in topological order.
        layers: the nodes with weights, by name.
    """
    nodes = list(model.graph.node)
    made_by = {output: node.name for node in nodes for output in node.output if output}
    inputs = {node.name: {made_by[name] for name in _reads(node) if name in made_by} for node in nodes}
    is_after: set[str] = set()
    for node in nodes:
        if any(name in layers or name in is_after for name in inputs[node.name]):
            is_after.add(node.name)
    is_before: set[str] = set()
    for node in reversed(nodes):
        if node.name in layers or node.name in is_before:
            is_before |= inputs[node.name]
    return [
        (node.name, node.op_type)
        for node in nodes
        if (node.name not in layers and not (node.name in is_after and node.name in is_before))
        or (layers.get(node.name) == "Conv" and node.name not in is_before)
    ]


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names that a node reads, also those that graphs inside it read from outside."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _reads(inner)


def _prepared(source: Path, prepared: Path) -> onnx.ModelProto:
    """Write the file with folded constants and norms and with known shapes, and return it; all nodes have names."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    # Symbolic inference knows more of transformers; the exporters have noted what it would find.
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    model = onnx.load(str(prepared))
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{number}"
    unstack(model)
    onnx.save_model(model, str(prepared))
    return model


def unstack(model: onnx.ModelProto) -> None:
    """Make a matrix of each stack of one that products read, in place: an ensemble of one network has them.

    A product with something of two axes would lose one by that, so those stay.
    """
    graph = model.graph
    axes = {
        each.name: len(each.type.tensor_type.shape.dim)
        for each in (*graph.input, *graph.value_info)
        if each.type.tensor_type.HasField("shape")
    }
    reads = [(node, name) for node in graph.node for name in _reads(node)]
    for weights in graph.initializer:
        users = [node for node, name in reads if name == weights.name]
        if (
            len(weights.dims) == 3
            and weights.dims[0] == 1
            and all(
                node.op_type == "MatMul" and node.input[1] == weights.name and axes.get(node.input[0], 0) >= 3
                for node in users
            )
        ):
            del weights.dims[0]


class _Reader:
    """Batches as ONNX Runtime's tools read them, counted."""

    def __init__(self, batches: Iterable[Arrays]) -> None:
        self._batches = iter(batches)
        self.num_items = 0

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        if batch is None:
            return None
        self.num_items += len(next(iter(batch.values())))
        return dict(batch)


def _quantise_static(
    prepared: Path, target: Path, left_out: Sequence[str], layers: Mapping[str, str], batches: Iterable[Arrays] | None
) -> int:
    """Write the static form and return the number of inputs that it was calibrated with.

    Raises:
        ExportError: there are none.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    reader = _Reader(batches or ())
    if batches is not None:
        quantize_static(
            str(prepared),
            str(target),
            reader,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*dict.fromkeys(layers.values()), *_BETWEEN],
            nodes_to_exclude=list(left_out),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            # A product of two activations stays in float, and so does the output of a matrix: it costs nothing there.
            extra_options={"MatMulConstBOnly": True, "OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"]},
        )
    if not reader.num_items:
        raise ExportError(
            "--quantize: no inputs to learn the ranges of the activations from", hint="name prepared data with --data"
        )
    return reader.num_items


def _quantise_dynamic(prepared: Path, target: Path, layers: Mapping[str, str], left_out: Sequence[str]) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(str(prepared))
    del model.graph.value_info[:]  # the shapes that the exporter noted contradict those of the replaced Gemm
    quantize_dynamic(
        model,
        str(target),
        op_types_to_quantize=[*dict.fromkeys({"Gemm": "MatMul"}.get(each, each) for each in layers.values())],
        nodes_to_exclude=list(left_out),
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
    )


def _finish(source: Path, target: Path) -> None:
    """Give the file the metadata and the producer of its original, and only the domains of operators that it uses."""
    original, model = onnx.load(str(source)), onnx.load(str(target))
    del model.metadata_props[:]
    model.metadata_props.extend(original.metadata_props)
    model.producer_name, model.producer_version = original.producer_name, original.producer_version
    used = {node.domain for node in model.graph.node} | {""}
    opsets = [each for each in model.opset_import if each.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    target.write_bytes(model.SerializeToString())


def set_metadata(path: Path, texts: Mapping[str, str], dropped: Collection[str] = ()) -> None:
    """Replace entries of the metadata of an ONNX file and leave out those named `dropped`; the others stay."""
    model: Any = onnx.load(str(path), load_external_data=False)
    known = {each.key: each.value for each in model.metadata_props if each.key not in dropped}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {**known, **texts})
    path.write_bytes(model.SerializeToString())
