"""The layers of Caffe that stand for operators of torch; what it has none for is refused by the module's name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from dlcli.core.errors import ExportError

Shape = tuple[int, ...]


@dataclass
class Layer:
    """A layer: its type in Caffe, the blobs that it takes and makes, its settings by message, and its weights."""

    name: str
    type: str
    bottoms: list[str]
    top: str
    settings: dict[str, Any] = field(default_factory=dict)
    blobs: list[Tensor] = field(default_factory=list)


@dataclass(frozen=True)
class Blob:
    """A value that a layer makes."""

    name: str
    shape: Shape


class Layers:
    """The layers of a network, in their order.

    Attributes:
        layers: without those of the inputs.
        where: the module that the next layer belongs to.
    """

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self._names: set[str] = set()
        self.where = ""

    def name_input(self, name: str, shape: Shape) -> Blob:
        """Return the blob of an input."""
        self._names.add(name)
        return Blob(name, shape)

    def refuse(self, reason: str) -> Any:
        """Raise an error that names the module.

        Raises:
            ExportError: always.
        """
        raise self.refused(reason)

    def refused(self, reason: str) -> ExportError:
        """Return the error for an operator that has no layer, with the name of its module."""
        return ExportError(f"layer {self.where}: {reason}")

    def add(self, type: str, bottoms: Sequence[Blob], shape: Sequence[int], *blobs: Tensor, **settings: Any) -> Blob:
        """Add a layer, named after its module, and return what it makes."""
        plain = name = self.where.replace("/", "_")
        number = 1
        while name in self._names:
            number += 1
            name = f"{plain}.{type.lower()}{number if number > 2 else ''}"
        self._names.add(name)
        weights = [each.detach().float() for each in blobs]
        self.layers.append(Layer(name, type, [each.name for each in bottoms], name, settings, weights))
        return Blob(name, tuple(shape))

    def name_outputs(self, blobs: Sequence[Any], outputs: Sequence[str]) -> None:
        """Give the last blobs the names of the outputs.

        Raises:
            ExportError: one of them is no layer's.
        """
        for blob, name in zip(blobs, outputs, strict=True):
            if not isinstance(blob, Blob) or not self.layers:
                self.refuse(f"the output {name} does not depend on the input")
            for layer in self.layers:
                layer.bottoms = [name if each == blob.name else each for each in layer.bottoms]
                if layer.top == blob.name:
                    layer.name = layer.top = name  # OpenCV asks for outputs by the names of their layers


def _pair(value: Any) -> tuple[int, int]:
    first, *rest = value if isinstance(value, list) else [value]
    return int(first), int(rest[0] if rest else first)


def _same(_layers: Layers, blob: Blob, *_args: Any, **_more: Any) -> Blob:
    """Return the blob itself: a cast, a copy, a dropout in evaluation."""
    return blob


def _arithmetic(kind: str) -> Callable[..., Blob]:
    def handle(layers: Layers, one: Any, other: Any, alpha: float = 1.0) -> Blob:
        if isinstance(one, Blob) and isinstance(other, Blob):
            return _elementwise(layers, kind, one, other, alpha)
        if not isinstance(one, Blob):
            if kind in ("add", "mul") and alpha == 1.0:
                return handle(layers, other, one)
            if kind == "sub" and alpha == 1.0:
                return _affine(layers, other, torch.tensor(-1.0), torch.as_tensor(one))
            layers.refuse(f"{kind} with a constant in front has no layer in Caffe")
        value = torch.as_tensor(other, dtype=torch.float64) * alpha
        zero, unit = torch.tensor(0.0), torch.tensor(1.0)
        scale, shift = {"add": (unit, value), "sub": (unit, -value), "mul": (value, zero), "div": (1 / value, zero)}[
            kind
        ]
        return _affine(layers, one, scale, shift)

    return handle


def _affine(layers: Layers, blob: Blob, scale: Tensor, shift: Tensor) -> Blob:
    """Add a Scale layer, with one factor and one summand for each channel."""
    numbers = []
    for value in (scale, shift):
        try:
            whole = value.expand(blob.shape)[0]
        except RuntimeError:
            layers.refuse("a constant of more axes than the maps has no layer in Caffe")
        of_channels = whole.reshape(blob.shape[1], -1)
        if not torch.equal(of_channels, of_channels[:, :1].expand_as(of_channels)):
            layers.refuse("a constant that differs from place to place has no layer in Caffe")
        numbers.append(of_channels[:, 0])
    return layers.add("Scale", [blob], blob.shape, *numbers, scale_param={"axis": 1, "bias_term": True})


def _elementwise(layers: Layers, kind: str, one: Blob, other: Blob, alpha: float) -> Blob:
    if one.shape != other.shape or kind == "div":
        layers.refuse(f"{kind} of {_said(one.shape)} and {_said(other.shape)} has no layer in Caffe")
    settings: dict[str, Any] = {"operation": {"mul": "PROD", "maximum": "MAX"}.get(kind, "SUM")}
    if kind == "sub" or alpha != 1.0:
        settings["coeff"] = [1.0, -alpha if kind == "sub" else alpha]
    return layers.add("Eltwise", [one, other], one.shape, eltwise_param=settings)


def _said(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def _convolution(
    layers: Layers,
    blob: Blob,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Blob:
    if isinstance(padding, str) or any(not isinstance(each, Tensor) for each in (weight, bias) if each is not None):
        layers.refuse("a convolution with this padding, or weights that are computed, has no layer in Caffe")
    (kernel_h, kernel_w), (stride_h, stride_w) = weight.shape[2:], _pair(stride)
    (pad_h, pad_w), dilations = _pair(padding), _pair(dilation)
    settings: dict[str, Any] = {
        "num_output": weight.shape[0],
        "bias_term": bias is not None,
        "group": groups,
        "kernel_h": kernel_h,
        "kernel_w": kernel_w,
        "stride_h": stride_h,
        "stride_w": stride_w,
        "pad_h": pad_h,
        "pad_w": pad_w,
    }
    if dilations != (1, 1):
        settings["dilation"] = list(dilations)
    sides = [
        (side + 2 * pad - dilated * (kernel - 1) - 1) // step + 1
        for side, pad, dilated, kernel, step in zip(
            blob.shape[2:], (pad_h, pad_w), dilations, (kernel_h, kernel_w), (stride_h, stride_w), strict=True
        )
    ]
    blobs = [weight] if bias is None else [weight, bias]
    shape = (blob.shape[0], weight.shape[0], *sides)
    return layers.add("Convolution", [blob], shape, *blobs, convolution_param=settings)


def _batch_norm(
    layers: Layers,
    blob: Blob,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    is_training: bool,
    _momentum: float,
    eps: float,
    *_more: Any,
) -> Blob:
    if is_training or mean is None:
        layers.refuse("a norm without stored statistics has no layer in Caffe")
    settings = {"use_global_stats": True, "eps": eps}
    normed = layers.add("BatchNorm", [blob], blob.shape, mean, variance, torch.ones(1), batch_norm_param=settings)
    if weight is None:
        return normed
    shift = bias if bias is not None else torch.zeros_like(weight)
    return layers.add("Scale", [normed], blob.shape, weight, shift, scale_param={"axis": 1, "bias_term": True})


def _activation(type: str) -> Callable[..., Blob]:
    def handle(layers: Layers, blob: Blob, slope: float = 0.0) -> Blob:
        settings = {"relu_param": {"negative_slope": slope}} if type == "ReLU" and slope else {}
        return layers.add(type, [blob], blob.shape, **settings)

    return handle


def _leaky(layers: Layers, blob: Blob, slope: float = 0.01) -> Blob:
    return _activation("ReLU")(layers, blob, slope)


def _max_pool(
    layers: Layers, blob: Blob, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil: bool = False
) -> Blob:
    if _pair(dilation) != (1, 1):
        layers.refuse("a dilated pool has no layer in Caffe")
    return _pool(layers, blob, "MAX", kernel, stride, padding, ceil=ceil)


def _mean_pool(
    layers: Layers,
    blob: Blob,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    ceil: bool = False,
    counts_padding: bool = True,
    divisor: int | None = None,
) -> Blob:
    if divisor is not None or (_pair(padding) != (0, 0) and (ceil or not counts_padding)):
        layers.refuse("a mean pool that counts its padding in another way has no layer in Caffe")
    return _pool(layers, blob, "AVE", kernel, stride, padding, ceil=ceil)


def _pool(layers: Layers, blob: Blob, method: str, kernel: Any, stride: Any, padding: Any, *, ceil: bool) -> Blob:
    kernels, pads = _pair(kernel), _pair(padding)
    strides = _pair(stride) if stride else kernels
    settings: dict[str, Any] = {"pool": method}
    for name, (down, across) in (("kernel", kernels), ("stride", strides), ("pad", pads)):
        settings |= {f"{name}_h": down, f"{name}_w": across}
    spans = [side + 2 * pad - size for side, pad, size in zip(blob.shape[2:], pads, kernels, strict=True)]
    rounded_down = [span // step + 1 for span, step in zip(spans, strides, strict=True)]
    rounded_up = [math.ceil(span / step) + 1 for span, step in zip(spans, strides, strict=True)]
    if not ceil and rounded_down != rounded_up:
        settings["round_mode"] = "FLOOR"
    shape = (*blob.shape[:2], *(rounded_up if ceil else rounded_down))
    return layers.add("Pooling", [blob], shape, pooling_param=settings)


def _adaptive(layers: Layers, blob: Blob, size: Any) -> Blob:
    return _to_size(layers, blob, _pair(size), "AVE")


def _to_size(layers: Layers, blob: Blob, size: tuple[int, int], method: str) -> Blob:
    if size == (1, 1):
        shape = (*blob.shape[:2], 1, 1)
        return layers.add("Pooling", [blob], shape, pooling_param={"pool": method, "global_pooling": True})
    if any(side % new for side, new in zip(blob.shape[2:], size, strict=True)):
        layers.refuse(f"an adaptive pool of {_said(blob.shape[2:])} to {_said(size)} has no layer in Caffe")
    kernel = [side // new for side, new in zip(blob.shape[2:], size, strict=True)]
    return _pool(layers, blob, method, kernel, kernel, 0, ceil=False)


def _reduction(method: str) -> Callable[..., Blob]:
    def handle(layers: Layers, blob: Blob, axes: Any = (), keeps: bool = False, **_more: Any) -> Blob:
        found = sorted(axis % len(blob.shape) for axis in (axes if isinstance(axes, list) else [axes]))
        if len(blob.shape) != 4 or found != [2, 3]:
            layers.refuse("a reduction over other axes than height and width has no layer in Caffe")
        pooled = _to_size(layers, blob, (1, 1), method)
        return pooled if keeps else _flatten(layers, pooled)

    return handle


def _flatten(layers: Layers, blob: Blob, start: Any = 1, end: int = -1) -> Blob:
    if start != 1 or end % len(blob.shape) != len(blob.shape) - 1:
        layers.refuse("flattening some axes only has no layer in Caffe")
    if len(blob.shape) == 2:
        return blob
    return layers.add("Flatten", [blob], (blob.shape[0], math.prod(blob.shape[1:])), flatten_param={"axis": 1})


def _view(layers: Layers, blob: Blob, shape: Sequence[int]) -> Blob:
    sizes = [blob.shape[0] if axis == 0 and size == -1 else size for axis, size in enumerate(shape)]
    rest = math.prod(blob.shape[1:])
    if len(sizes) != 2 or sizes[0] != blob.shape[0] or sizes[1] not in (-1, rest):
        layers.refuse(f"a view of {_said(blob.shape)} as {_said(tuple(shape))} has no layer in Caffe")
    return _flatten(layers, blob)


def _squeeze(layers: Layers, blob: Blob, *_axes: Any) -> Blob:
    if len(blob.shape) != 4 or blob.shape[2:] != (1, 1):
        layers.refuse("a squeeze has no layer in Caffe")
    return _flatten(layers, blob)


def _linear(layers: Layers, blob: Blob, weight: Any, bias: Any = None) -> Blob:
    if len(blob.shape) != 2 or not isinstance(weight, Tensor):
        layers.refuse("a linear layer of more than one axis, or with computed weights, has no layer in Caffe")
    settings = {"num_output": weight.shape[0], "bias_term": bias is not None}
    blobs = [weight] if bias is None else [weight, bias]
    shape = (blob.shape[0], weight.shape[0])
    return layers.add("InnerProduct", [blob], shape, *blobs, inner_product_param=settings)


def _concat(layers: Layers, blobs: Sequence[Any], axis: int = 0) -> Blob:
    if not all(isinstance(each, Blob) for each in blobs) or axis % len(blobs[0].shape) != 1:
        layers.refuse("joining along another axis than the channels, or with constants, has no layer in Caffe")
    shape = list(blobs[0].shape)
    shape[1] = sum(each.shape[1] for each in blobs)
    return layers.add("Concat", blobs, shape, concat_param={"axis": 1})


def _softmax(layers: Layers, blob: Blob, axis: int, *_more: Any) -> Blob:
    if axis % len(blob.shape) != 1:
        layers.refuse("a softmax along another axis than the channels has no layer in Caffe")
    return layers.add("Softmax", [blob], blob.shape, softmax_param={"axis": 1})


HANDLERS: Mapping[str, Callable[..., Blob]] = {
    **dict.fromkeys(("to", "_to", "contiguous", "clone", "alias", "dropout", "feature_dropout", "detach"), _same),
    **{kind: _arithmetic(kind) for kind in ("add", "sub", "mul", "div", "maximum")},
    "conv2d": _convolution,
    "batch_norm": _batch_norm,
    "relu": _activation("ReLU"),
    "leaky_relu": _leaky,
    "sigmoid": _activation("Sigmoid"),
    "tanh": _activation("TanH"),
    "max_pool2d": _max_pool,
    "avg_pool2d": _mean_pool,
    "adaptive_avg_pool2d": _adaptive,
    "mean": _reduction("AVE"),
    "amax": _reduction("MAX"),
    "flatten": _flatten,
    "view": _view,
    "reshape": _view,
    "squeeze": _squeeze,
    "linear": _linear,
    "cat": _concat,
    "softmax": _softmax,
}
