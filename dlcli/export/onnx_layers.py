"""The layers of an ONNX file, what they cost and see: from its graph alone, of which nothing is run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.errors import UsageError, first_line
from dlcli.core.wording import brief
from dlcli.export.looking import damaged, read_onnx
from dlcli.models.costs import Field, LayerSummary, Summary, join

MAX_DIM = 2**40
"""Larger sizes are damage: their products would take megabytes to write."""

_VIEWS = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout")
"""Operators that only look at their input in another shape, or do nothing in inference."""

_POOLS = ("MaxPool", "AveragePool", "LpPool")

_SPREADING = ("MatMul", "Gemm", "Softmax", "LogSoftmax", "Resize", "Transpose", "ConvTranspose")
"""Operators whose outputs may see more than the same place of their inputs, also where the sides are equal."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class OnnxGraph:
    """An ONNX file.

    Attributes:
        summary: its nodes in order, except constants; `kind` is the operator, and a node with weights has their name.
        inputs, outputs: name -> shape as the file has it; a free axis has a name, or "?".
        operators: operator -> its number of nodes, the most frequent first.
        opset: the version of the operators.
        num_initialisers: how many tensors of weights the file holds.
    """

    summary: Summary
    inputs: Mapping[str, tuple[int | str, ...]]
    outputs: Mapping[str, tuple[int | str, ...]]
    operators: Mapping[str, int]
    opset: int
    num_initialisers: int


def summarise_onnx(path: Path, image_size: int | None = None) -> OnnxGraph:
    """Return the layers of an ONNX file for one item; other free axes than an image's sides count as 1.

    Args:
        path: the file; weights beside it are not read.
        image_size: height and width of the images in pixels, where the file leaves them free.

    Raises:
        RunError: the file is damaged.
        UsageError: the file takes images of any size, and `image_size` is None; or of one size, and it is another.
    """
    import onnx
    from onnx import inliner, shape_inference

    model = read_onnx(path)
    try:
        if model.functions:
            model = inliner.inline_local_functions(model)
        inputs, outputs = _shapes_of(model.graph.input), _shapes_of(model.graph.output)
        weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
        inputs = {name: shape for name, shape in inputs.items() if name not in weights}  # as before IR version 4
        _fix_sizes(model, inputs, image_size, path)
        inferred = shape_inference.infer_shapes(model, data_prop=True).graph
        nodes = _Nodes(inferred, weights, onnx.helper.tensor_dtype_to_np_dtype)
        layers = tuple(nodes.summarise(node) for node in inferred.node if node.op_type != "Constant")
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        RuntimeError,
        OverflowError,
        shape_inference.InferenceError,
    ) as error:
        raise damaged(path, first_line(error)) from None
    parameters = sum(math.prod(weights[name]) for name in nodes.learned)
    sides = [shape[-1] for shape in inputs.values() if len(shape) == 4]
    side = image_size if sides and isinstance(sides[0], str) else (sides[0] if sides else None)
    fields = [layer.receptive_field for layer in layers if layer.receptive_field is not None]
    is_cut = not fields or not isinstance(side, int) or fields[-1] >= side
    summary = Summary(
        layers=layers,
        parameters=parameters,
        trainable=0,
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        parameter_bytes=sum(nodes.num_bytes(name) for name in nodes.learned),
        receptive_field=None if is_cut else fields[-1],
    )
    operators = dict(Counter(node.op_type for node in inferred.node).most_common())
    opset = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=0)
    return OnnxGraph(summary, inputs, outputs, operators, opset, len(weights))


def _shapes_of(values: Sequence[Any]) -> dict[str, tuple[int | str, ...]]:
    return {
        value.name: tuple(
            dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or "?")
            for dim in value.type.tensor_type.shape.dim
        )
        for value in values
    }


def _fix_sizes(model: Any, inputs: Mapping[str, tuple[int | str, ...]], image_size: int | None, path: Path) -> None:
    """Give every free axis of the inputs a size, in place, and forget the shapes that the file claims for the rest."""
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        is_image = len(dims) == 4 and value.name in inputs
        for axis, dim in enumerate(dims):
            is_side = is_image and axis >= 2
            is_free = not dim.HasField("dim_value")
            if is_side and is_free and image_size is None:
                raise UsageError(f"{path}: takes images of any size", hint="choose one with --image-size")
            if is_side and not is_free and image_size not in (None, dim.dim_value):
                raise UsageError(f"--image-size {image_size}: {path} takes images of {dim.dim_value} pixels")
            if is_free or axis == 0:
                dim.dim_value = image_size if is_side and image_size is not None else 1
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]


class _Nodes:
    """Summarises nodes in their order.

    Attributes:
        learned: initialisers of numbers that nodes take as weights, in order.
    """

    def __init__(self, graph: Any, weights: Mapping[str, Shape], dtype_of: Callable[[int], Any]) -> None:
        self.learned: dict[str, None] = {}
        self._shapes: dict[str, Shape] = {**weights}
        self._types = {tensor.name: tensor.data_type for tensor in graph.initializer}
        self._weights = weights
        self._dtype_of = dtype_of
        self._fields: dict[str, Field | None] = {}
        for value in [*graph.input, *graph.value_info, *graph.output]:
            tensor = value.type.tensor_type
            shape = tuple(dim.dim_value for dim in tensor.shape.dim)
            if tensor.HasField("shape") and all(0 < size <= MAX_DIM for size in shape):
                self._shapes.setdefault(value.name, shape)
            self._types.setdefault(value.name, tensor.elem_type)
        if any(not 0 <= size <= MAX_DIM for shape in weights.values() for size in shape):
            raise ValueError("a weight of impossible size")
        for value in graph.input:
            if value.name not in weights and len(self._shapes.get(value.name, ())) == 4:
                self._fields[value.name] = Field()

    def num_bytes(self, name: str) -> int:
        """Return the bytes of a tensor; 0 if its shape or type is unknown."""
        if name not in self._shapes or not self._types.get(name):
            return 0
        return math.prod(self._shapes[name]) * int(self._dtype_of(self._types[name]).itemsize)

    def summarise(self, node: Any) -> LayerSummary:
        """Return the summary of the next node."""
        attributes = {each.name: list(each.ints) or each.i for each in node.attribute}
        strings = {each.name: each.s for each in node.attribute}
        inputs, outputs = [name for name in node.input if name], [name for name in node.output if name]
        fresh = [
            name for name in inputs if name in self._weights and name not in self.learned and self._is_weight(name)
        ]
        self.learned |= dict.fromkeys(fresh)
        output = outputs[0] if outputs else ""
        self._fields |= dict.fromkeys(outputs, self._field_after(node, inputs, output, attributes, strings))
        field = self._fields.get(output)
        moved = 0 if node.op_type in _VIEWS else sum(map(self.num_bytes, [*inputs, *outputs]))
        named = next((name.rpartition(".")[0] for name in inputs if name in self._weights and "." in name), "")
        return LayerSummary(
            name=brief(named or node.name or output, 80),
            kind=brief(node.op_type, 40),
            output_shape=self._shapes.get(output, ())[1:],
            parameters=sum(math.prod(self._shapes[name]) for name in fresh),
            multiply_adds=self._multiply_adds(node.op_type, inputs, output, attributes),
            bytes_moved=moved,
            receptive_field=field.side if field is not None else None,
        )

    def _is_weight(self, name: str) -> bool:
        """Return whether a tensor is an initialiser of real numbers rather than a shape, an axis or a result."""
        return name in self._weights and self._dtype_of(self._types[name]).kind not in "biuO"

    def _multiply_adds(self, kind: str, inputs: Sequence[str], output: str, attributes: Mapping[str, Any]) -> int:
        shapes = [self._shapes.get(name) for name in inputs]
        answer = self._shapes.get(output)
        if answer is None or len(shapes) < 2 or shapes[0] is None or shapes[1] is None:
            return 0
        first, weight = shapes[0], shapes[1]
        if kind == "Conv":
            return math.prod(answer) * math.prod(weight[1:])
        if kind == "ConvTranspose":
            return math.prod(first) * math.prod(weight[1:])
        if kind == "Gemm":
            return math.prod(answer) * first[0 if attributes.get("transA") else 1]
        if kind == "MatMul":
            return math.prod(answer) * first[-1]
        if kind in ("LSTM", "GRU", "RNN") and shapes[2] is not None:
            return math.prod(first[:2]) * (math.prod(weight) + math.prod(shapes[2]))
        return 0

    def _field_after(
        self,
        node: Any,
        inputs: Sequence[str],
        output: str,
        attributes: Mapping[str, Any],
        strings: Mapping[str, bytes],
    ) -> Field | None:
        """Return the receptive field of a node's output; None where it is unknown."""
        seeing = [name for name in inputs if name in self._fields]
        fields = [self._fields[name] for name in seeing]
        shape = self._shapes.get(output, ())
        if not seeing or fields[0] is None or node.op_type in _SPREADING:
            return None
        if node.op_type == "Conv" or node.op_type in _POOLS:
            kernel = attributes.get("kernel_shape") or self._shapes[inputs[1]][2:]
            if len(kernel) != 2 or strings.get("auto_pad", b"NOTSET") not in (b"", b"NOTSET", b"VALID"):
                return None
            pads = attributes.get("pads") or [0, 0]
            return fields[0].slide(
                kernel, attributes.get("strides") or [1, 1], pads[:2], attributes.get("dilations") or [1, 1]
            )
        if any(len(shape) < 3 or self._shapes.get(name, ())[-2:] != shape[-2:] for name in seeing):
            return None
        return join(fields)
