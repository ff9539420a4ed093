"""An image's way into a network, and of its answer back to the image, as nodes of an ONNX graph. Imports no torch.

A graph with them takes decoded images of any size, (N, H, W, C) uint8, N of one size. What a run does to an image with
OpenCV is linear in its rows and in its columns: averages of areas, bilinear steps, halvings. Each is a product with a
matrix that the graph computes from the image's size. So there is no operator whose filter differs between programs, as
that of Resize does, and the pixels are the run's to a level of 255: OpenCV rounds after each step, the graph once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from dlcli.core.errors import ExportError
from dlcli.export.onnx_nodes import Nodes, rename_values

PREFIX = "preprocess/"
LEAST_OPSET = 13
"""Since when axes are inputs of the operators used here."""

MAX_HALVINGS = 14

INPUT = "images"
BOXES, MASKS, LABEL_MAP = "boxes", "masks", "label_map"

Preprocess = Mapping[str, Any]
"""The asset `preprocess` of a run, which its codec has validated."""


def embed_preprocessing(source: Path, target: Path, preprocess: Preprocess) -> None:
    """Write a copy of an ONNX file that fits images itself.

    Args:
        source: its only input is `images`, (N, C, H, W) uint8.
        target: the new file.
        preprocess: either `size` (height, width: of a window that is cut from the centre) or `side` and `canvas` (the
            longer side, in a canvas); boxes and label maps are brought back to the image.

    Raises:
        ExportError: the operators of the file are too old.
    """
    model = onnx.load(str(source))
    graph, [opset] = model.graph, [each.version for each in model.opset_import if each.domain == ""]
    if opset < LEAST_OPSET:
        raise ExportError(
            f"--embed-preprocess: needs operators of version {LEAST_OPSET}, the file has {opset}",
            hint="leave out --opset",
        )
    [given] = graph.input
    batch, channels, *_ = given.type.tensor_type.shape.dim
    nodes, pixels = Nodes(PREFIX), f"{PREFIX}pixels"
    rename_values(graph.node, {INPUT: pixels})
    if "size" in preprocess:
        _window(nodes, preprocess["size"], channels.dim_value, pixels)
        back = Nodes(f"{PREFIX}back/")
    else:
        inner, size = _canvas(nodes, preprocess, channels.dim_value, pixels)
        back = _way_back(graph, inner, size)
    inside = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes.nodes, *inside, *back.nodes])
    graph.initializer.extend([*nodes.constants, *back.constants])
    del graph.input[:]
    # The image's sides have names of their own: ONNX Runtime plans memory by equal names of axes.
    shape = [batch.dim_param or batch.dim_value, "image_height", "image_width", channels.dim_value]
    graph.input.append(helper.make_tensor_value_info(INPUT, TensorProto.UINT8, shape))
    target.write_bytes(model.SerializeToString())
    onnx.checker.check_model(model)


def _window(nodes: Nodes, frame: Sequence[int], channels: int, pixels: str) -> None:
    """Cut the largest centred window of the frame's proportions and scale it, see `Preprocess.fit`."""
    size = nodes.add("Slice", nodes.add("Shape", INPUT), nodes.ints(1), nodes.ints(3))
    sides = nodes.doubles(*frame)
    scale = _least(nodes, nodes.add("Div", nodes.cast(size, TensorProto.DOUBLE), sides))
    rounded = nodes.add("Round", nodes.add("Mul", sides, scale))
    window = nodes.cast(nodes.add("Max", rounded, nodes.doubles(1)), TensorProto.INT64)
    start = nodes.add("Div", nodes.add("Sub", size, window), nodes.ints(2))
    cut = nodes.add("Slice", INPUT, start, nodes.add("Add", start, window), nodes.ints(1, 2))
    rows = _scaled(nodes, frame[0], _at(nodes, window, 0))
    columns = rows if frame[0] == frame[1] else _scaled(nodes, frame[1], _at(nodes, window, 1))
    _multiply(nodes, cut, rows, columns, channels, to=pixels)


def _scaled(nodes: Nodes, side: int, given: str) -> str:
    """Return the matrix (side, given) float32 of a scaled side: areas are averaged, or bilinear steps enlarge it."""
    length = nodes.cast(given, TensorProto.DOUBLE)
    scale = nodes.add("Div", length, nodes.doubles(side))
    column = nodes.add("Unsqueeze", nodes.constant(np.arange(side), np.float64), nodes.ints(1))
    row = _range(nodes, given)
    area = _areas(nodes, column, row, scale)
    linear = _linear(nodes, column, row, scale, length)
    return nodes.add("Where", nodes.add("Greater", scale, nodes.doubles(1)), area, linear)


def _canvas(nodes: Nodes, preprocess: Preprocess, channels: int, pixels: str) -> tuple[str, str]:
    """Fit the image to a canvas, see `dlcli.data.annotated.fitting`; return the sides in it and the image's, int64."""
    from dlcli.data.annotated.fitting import STRIDE
    from dlcli.data.images.operations.colour import FILL

    size = nodes.add("Slice", nodes.add("Shape", INPUT), nodes.ints(1), nodes.ints(3))
    sides = nodes.cast(size, TensorProto.DOUBLE)
    fixed = preprocess.get("canvas")
    if fixed is None:
        ratio = nodes.add("Div", nodes.doubles(preprocess["side"]), _largest(nodes, sides))
    else:
        ratio = _least(nodes, nodes.add("Div", nodes.doubles(*fixed), sides))
    rounded = nodes.add("Round", nodes.add("Mul", sides, ratio))
    inner = nodes.cast(nodes.add("Max", rounded, nodes.doubles(1)), TensorProto.INT64)
    if fixed is None:
        stride = nodes.ints(STRIDE)
        steps = nodes.add("Div", nodes.add("Add", inner, nodes.ints(STRIDE - 1)), stride)
        canvas = nodes.add("Mul", steps, stride)
    else:
        canvas = nodes.ints(*fixed)
        inner = nodes.add("Min", inner, canvas)
    block = _block(nodes, sides, nodes.cast(inner, TensorProto.DOUBLE))
    matrices = [_halved_linear(nodes, _at(nodes, inner, axis), _at(nodes, size, axis), block) for axis in (0, 1)]
    image = _multiply(nodes, INPUT, matrices[0], matrices[1], channels)
    gap = nodes.add("Sub", canvas, inner)
    pads = nodes.add("Concat", nodes.ints(0, 0, 0, 0, 0, 0), gap, axis=0)
    nodes.add("Pad", image, pads, nodes.constant(FILL, np.uint8), to=pixels)
    return inner, size


def _block(nodes: Nodes, sides: str, inner: str) -> str:
    """Return how many rows and columns become one by halving, a power of 2 as float64; see `moving.resize`."""

    def product(values: str) -> str:
        return nodes.add("Mul", _at(nodes, values, 0), _at(nodes, values, 1))

    shrinkage = nodes.add("Sqrt", nodes.add("Div", product(sides), product(inner)))
    wanted = nodes.add("Greater", shrinkage, nodes.doubles(*(2**0.5 * 2**step for step in range(MAX_HALVINGS))))
    least = nodes.doubles(*(2.0 ** (step + 1) for step in range(MAX_HALVINGS)))
    possible = nodes.add("Not", nodes.add("Less", _least(nodes, sides), least))
    counted = nodes.cast(nodes.add("And", wanted, possible), TensorProto.INT64)
    count = nodes.add("ReduceSum", counted, nodes.ints(0), keepdims=1)
    return nodes.add("Gather", nodes.doubles(*(2.0**step for step in range(MAX_HALVINGS + 1))), count)


def _halved_linear(nodes: Nodes, length: str, size: str, block: str) -> str:
    """Return the matrix (length, size) float32 of a side that is halved, then scaled by bilinear steps."""
    sides = nodes.cast(size, TensorProto.DOUBLE)
    near = nodes.add("Floor", nodes.add("Div", sides, block))
    scale = nodes.add("Div", near, nodes.cast(length, TensorProto.DOUBLE))
    column = nodes.add("Unsqueeze", _range(nodes, length), nodes.ints(1))
    row = nodes.add("Floor", nodes.add("Div", _range(nodes, size), block))
    matrix = _linear(nodes, column, row, scale, near)
    return nodes.add("Div", matrix, nodes.cast(block, TensorProto.FLOAT))


def _linear(nodes: Nodes, column: str, row: str, scale: str, length: str) -> str:
    """Return bilinear weights, float32: (i + 0.5) * scale - 0.5, kept inside, is shared by the pixels beside it."""
    half, one = nodes.doubles(0.5), nodes.doubles(1)
    centre = nodes.add("Sub", nodes.add("Mul", nodes.add("Add", column, half), scale), half)
    last = nodes.add("Sub", length, one)
    centre = nodes.add("Min", nodes.add("Max", centre, nodes.doubles(0)), last)
    distance = nodes.add("Abs", nodes.add("Sub", centre, row))
    return nodes.cast(nodes.add("Max", nodes.add("Sub", one, distance), nodes.doubles(0)), TensorProto.FLOAT)


def _areas(nodes: Nodes, column: str, row: str, scale: str) -> str:
    """Return the share of each pixel in [i * scale, (i + 1) * scale), float32."""
    one = nodes.doubles(1)
    start = nodes.add("Mul", column, scale)
    end = nodes.add("Mul", nodes.add("Add", column, one), scale)
    right = nodes.add("Min", end, nodes.add("Add", row, one))
    overlap = nodes.add("Sub", right, nodes.add("Max", start, row))
    return nodes.cast(nodes.add("Div", nodes.add("Max", overlap, nodes.doubles(0)), scale), TensorProto.FLOAT)


def _multiply(nodes: Nodes, image: str, rows: str, columns: str, channels: int, *, to: str | None = None) -> str:
    """Return rows * image * columns^T, rounded: (N, C, H, W) uint8 of an image (N, H, W, C)."""
    flat = nodes.add("Reshape", nodes.cast(image, TensorProto.FLOAT), nodes.ints(0, 0, -1))
    narrow = nodes.add("Reshape", nodes.add("MatMul", rows, flat), nodes.ints(0, 0, -1, channels))
    turned = nodes.add("Transpose", narrow, perm=[0, 3, 1, 2])
    scaled = nodes.add("MatMul", turned, nodes.add("Transpose", columns, perm=[1, 0]))
    level = nodes.add("Clip", nodes.add("Round", scaled), *(nodes.constant(end, np.float32) for end in (0, 255)))
    return nodes.cast(level, TensorProto.UINT8, to=to)


def _way_back(graph: onnx.GraphProto, inner: str, size: str) -> Nodes:
    """Return the nodes that bring boxes and label maps back to the image; the graph's own get other names."""
    nodes = Nodes(f"{PREFIX}back/")
    outputs = {each.name: each for each in graph.output}
    changes: dict[str, Callable[[Nodes, str, str, str], None]] = {LABEL_MAP: _label_map_back, BOXES: _boxes_back}
    for name, change in changes.items():
        if name in outputs:
            on_canvas = nodes.name(name)
            rename_values(graph.node, {name: on_canvas})
            change(nodes, on_canvas, inner, size)
    if BOXES in outputs and MASKS not in outputs:  # masks belong to whole boxes
        last = nodes.nodes[-1]
        last.output[0] = nodes.name("whole")
        ends = nodes.cast(nodes.add("Gather", size, nodes.ints(1, 0, 1, 0)), TensorProto.FLOAT)
        nodes.add("Max", nodes.add("Min", last.output[0], ends), nodes.constant([0], np.float32), to=BOXES)
    if LABEL_MAP in outputs:
        for axis, side in ((1, "image_height"), (2, "image_width")):
            outputs[LABEL_MAP].type.tensor_type.shape.dim[axis].dim_param = side
    return nodes


def _boxes_back(nodes: Nodes, boxes: str, inner: str, size: str) -> None:
    scale = nodes.add("Div", nodes.cast(inner, TensorProto.DOUBLE), nodes.cast(size, TensorProto.DOUBLE))
    both = nodes.cast(nodes.add("Gather", scale, nodes.ints(1, 0, 1, 0)), TensorProto.FLOAT)
    nodes.add("Div", boxes, both, to=BOXES)


def _label_map_back(nodes: Nodes, label_map: str, inner: str, size: str) -> None:
    """Take the nearest pixels: the one below the centre. Of two that are equally near OpenCV takes either."""
    rows = _nearest(nodes, _at(nodes, inner, 0), _at(nodes, size, 0))
    columns = _nearest(nodes, _at(nodes, inner, 1), _at(nodes, size, 1))
    nodes.add("Gather", nodes.add("Gather", label_map, rows, axis=1), columns, axis=2, to=LABEL_MAP)


def _nearest(nodes: Nodes, given: str, wanted: str) -> str:
    two = nodes.ints(2)
    places = nodes.cast(_range(nodes, wanted), TensorProto.INT64)
    centres = nodes.add("Add", nodes.add("Mul", places, two), nodes.ints(1))
    return nodes.add("Div", nodes.add("Mul", centres, given), nodes.add("Mul", wanted, two))


def _range(nodes: Nodes, length: str) -> str:
    """Return 0, 1, ... below the only value of a vector, float64."""
    scalar = nodes.add("Squeeze", length, nodes.ints(0))
    numbers = nodes.add("Range", nodes.constant(0, np.int64), scalar, nodes.constant(1, np.int64))
    return nodes.cast(numbers, TensorProto.DOUBLE)


def _at(nodes: Nodes, values: str, index: int) -> str:
    """Return one value of a vector, as a vector."""
    return nodes.add("Gather", values, nodes.ints(index))


def _least(nodes: Nodes, values: str) -> str:
    return nodes.add("Min", _at(nodes, values, 0), _at(nodes, values, 1))


def _largest(nodes: Nodes, values: str) -> str:
    return nodes.add("Max", _at(nodes, values, 0), _at(nodes, values, 1))
