"""Caffe's two files: the layers as text (prototxt), and the weights (caffemodel) beside it; and both read back.

The gate reads the files with `run_files`, by Caffe's own rules, and where OpenCV still has Caffe's reader (before
version 5) with that as well. Caffe's blobs are floats: bytes of an image are given as numbers from 0 to 255.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from torch import Tensor, nn
from torch.nn import functional as F

from dlcli.core.errors import ExportError, ParityError, RunError
from dlcli.export.caffe_graph import translate
from dlcli.export.caffe_net import Layer
from dlcli.export.caffe_schema import new_net
from dlcli.export.model_file import CAFFE_WEIGHTS
from dlcli.export.plan import Check, Graph
from dlcli.export.verify import differences, largest_values


def write_caffe(module: nn.Module, graph: Graph, metadata: Mapping[str, str], path: Path) -> None:
    """Write the module as the files of Caffe: `path`, and its weights beside it.

    Raises:
        ExportError: Caffe has no layer for an operator, or the inputs have no fixed size.
    """
    free = sorted({symbol for axes in graph.dynamic.values() for axis, symbol in axes.items() if axis != 0})
    if free:
        raise ExportError(f"Caffe's files have a fixed size, and the network takes any {' and '.join(free)}")
    example = tuple(graph.example[name][:1].cpu() for name in graph.inputs)
    with torch.no_grad():
        program = torch.export.export(module, example)
    layers = translate(program, graph.outputs).layers
    inputs = {name: tuple(tensor.shape) for name, tensor in zip(graph.inputs, example, strict=True)}
    head = "".join(f"# {key}: {text}\n" for key, text in metadata.items())
    text = text_format.MessageToString(_net(layers, inputs, has_weights=False))
    path.write_text(head + text, encoding="utf-8")
    path.with_suffix(CAFFE_WEIGHTS).write_bytes(
        _net(layers, inputs, has_weights=True).SerializeToString(deterministic=True)
    )


def _net(layers: Sequence[Layer], inputs: Mapping[str, tuple[int, ...]], *, has_weights: bool) -> Any:
    """Return the message of a network, of which either file is a part."""
    net = new_net()(name="dlcli")
    for name, shape in inputs.items():
        added = net.layer.add(name=name, type="Input", top=[name])
        added.input_param.shape.add(dim=shape)
    for layer in layers:
        added = net.layer.add(name=layer.name, type=layer.type, bottom=layer.bottoms, top=[layer.top])
        for message, fields in layer.settings.items():
            for field, value in fields.items():
                _set(getattr(added, message), field, value)
        for tensor in layer.blobs if has_weights else ():
            blob = added.blobs.add()
            blob.shape.dim.extend(tensor.shape)
            blob.data.extend(tensor.reshape(-1).tolist())
    return net


def _set(message: Any, field: str, value: Any) -> None:
    if isinstance(value, list):
        getattr(message, field).extend(value)
    elif isinstance(value, str):
        enum = message.DESCRIPTOR.fields_by_name[field].enum_type
        setattr(message, field, enum.values_by_name[value].number)
    else:
        setattr(message, field, value)


def check_caffe(
    graph: Graph, references: list[dict[str, np.ndarray]], metadata: Mapping[str, str], path: Path
) -> tuple[Check, ...]:
    """Return one check for each sample: the files, read back, give the module's outputs.

    Raises:
        ParityError: they differ.
        RunError: the files cannot be read back.
    """
    del metadata
    net = read_files(path)
    scales = largest_values(references)
    checks = []
    for sample, reference in zip(graph.samples, references, strict=True):
        answers = {"read back": run_net(net, sample, graph.outputs)}
        if hasattr(cv2.dnn, "readNetFromCaffe"):
            answers["OpenCV"] = _run_opencv(path, sample, graph.outputs)
        worst = 0.0
        for reader, answer in answers.items():
            for name, found in differences(reference, answer, scales).items():
                worst = max(worst, found.value)
                if found.value > graph.tolerance_of(name, reference[name].dtype):
                    reason = f"{reader}: {found.reason}"
                    raise ParityError("the exported file and the model give different outputs", details=(reason,))
        checks.append(Check(graph.sizes(sample), worst, graph.name))
    return tuple(checks)


def _run_opencv(path: Path, sample: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
    reader: Any = cv2.dnn
    files = [np.frombuffer(file.read_bytes(), np.uint8) for file in (path, path.with_suffix(CAFFE_WEIGHTS))]
    net = reader.readNetFromCaffe(*files)
    for name, array in sample.items():
        net.setInput(array.astype(np.float32), name)
    return dict(zip(outputs, net.forward(list(outputs)), strict=True))


def read_files(path: Path) -> Any:
    """Return the message of a network: the layers of its text, with the weights beside it.

    Raises:
        RunError: a file is damaged, or the two do not fit.
    """
    net, weights = new_net()(), new_net()()
    try:
        text_format.Parse(path.read_text(encoding="utf-8"), net)
        weights.ParseFromString(path.with_suffix(CAFFE_WEIGHTS).read_bytes())
    except (text_format.ParseError, DecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: damaged: {type(error).__name__}", hint="export it again") from None
    blobs = {layer.name: layer.blobs for layer in weights.layer}
    for layer in net.layer:
        layer.blobs.extend(blobs.get(layer.name, ()))
    return net


def run_net(net: Any, sample: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the outputs of a network that was read back.

    Raises:
        RunError: it has another layer than those that are written here.
    """
    blobs: dict[str, Tensor] = {name: torch.from_numpy(array).float() for name, array in sample.items()}
    with torch.no_grad():
        for layer in net.layer:
            if layer.type == "Input":
                continue
            run = _RUN.get(layer.type)
            if run is None:
                raise RunError(f"layer {layer.name}: its type {layer.type} is not known")
            weights = [torch.tensor(list(each.data)).reshape(list(each.shape.dim)) for each in layer.blobs]
            blobs[layer.top[0]] = run(layer, [blobs[name] for name in layer.bottom], weights)
    return {name: blobs[name].numpy() for name in outputs}


def _run_convolution(layer: Any, bottoms: list[Tensor], weights: list[Tensor]) -> Tensor:
    p = layer.convolution_param
    bias = weights[1] if p.bias_term else None
    dilation = tuple(p.dilation) or (1, 1)
    return F.conv2d(bottoms[0], weights[0], bias, (p.stride_h, p.stride_w), (p.pad_h, p.pad_w), dilation, p.group)


def _run_pooling(layer: Any, bottoms: list[Tensor], _weights: list[Tensor]) -> Tensor:
    p = layer.pooling_param
    values, is_max = bottoms[0], p.pool == 0
    if p.global_pooling:
        return values.amax((2, 3), keepdim=True) if is_max else values.mean((2, 3), keepdim=True)
    sizes = (p.kernel_h, p.kernel_w), (p.stride_h, p.stride_w), (p.pad_h, p.pad_w)
    pool = F.max_pool2d if is_max else F.avg_pool2d
    return pool(values, *sizes, ceil_mode=True)


def _run_batch_norm(layer: Any, bottoms: list[Tensor], weights: list[Tensor]) -> Tensor:
    mean, variance, factor = weights
    scale = 1 / factor if float(factor) else factor
    return F.batch_norm(bottoms[0], mean * scale, variance * scale, eps=layer.batch_norm_param.eps)


def _run_scale(_layer: Any, bottoms: list[Tensor], weights: list[Tensor]) -> Tensor:
    shape = [-1] + [1] * (bottoms[0].dim() - 2)
    return bottoms[0] * weights[0].reshape(shape) + weights[1].reshape(shape)


def _run_eltwise(layer: Any, bottoms: list[Tensor], _weights: list[Tensor]) -> Tensor:
    p = layer.eltwise_param
    if p.operation == 0:
        return bottoms[0] * bottoms[1]
    if p.operation == 2:
        return torch.maximum(*bottoms)
    factors = list(p.coeff) or [1.0, 1.0]
    return factors[0] * bottoms[0] + factors[1] * bottoms[1]


_RUN: Mapping[str, Any] = {
    "Convolution": _run_convolution,
    "Pooling": _run_pooling,
    "BatchNorm": _run_batch_norm,
    "Scale": _run_scale,
    "Eltwise": _run_eltwise,
    "InnerProduct": lambda _layer, bottoms, weights: F.linear(bottoms[0], *weights),
    "Concat": lambda layer, bottoms, _weights: torch.cat(bottoms, layer.concat_param.axis),
    "Flatten": lambda layer, bottoms, _weights: bottoms[0].flatten(layer.flatten_param.axis),
    "Softmax": lambda layer, bottoms, _weights: bottoms[0].softmax(layer.softmax_param.axis),
    "ReLU": lambda layer, bottoms, _weights: F.leaky_relu(bottoms[0], layer.relu_param.negative_slope),
    "Sigmoid": lambda _layer, bottoms, _weights: bottoms[0].sigmoid(),
    "TanH": lambda _layer, bottoms, _weights: bottoms[0].tanh(),
}
