"""Operators of torch as layers of Caffe; what it has none for is refused by the module's name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from dlcli.export.caffe_net import Blob, Layers, pair_of, said


def same(_layers: Layers, blob: Blob, *_args: Any, **_more: Any) -> Blob:
    """Return the blob itself: a cast, a copy, a dropout in evaluation."""
    return blob


def arithmetic(kind: str) -> Callable[..., Blob]:
    """Return the function for an operator of arithmetic: of two blobs, or of one and a constant."""

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
        layers.refuse(f"{kind} of {said(one.shape)} and {said(other.shape)} has no layer in Caffe")
    settings: dict[str, Any] = {"operation": {"mul": "PROD", "maximum": "MAX"}.get(kind, "SUM")}
    if kind == "sub" or alpha != 1.0:
        settings["coeff"] = [1.0, -alpha if kind == "sub" else alpha]
    return layers.add("Eltwise", [one, other], one.shape, eltwise_param=settings)


def convolution(
    layers: Layers,
    blob: Blob,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Blob:
    """Add a convolution."""
    if isinstance(padding, str) or any(not isinstance(each, Tensor) for each in (weight, bias) if each is not None):
        layers.refuse("a convolution with this padding, or weights that are computed, has no layer in Caffe")
    (kernel_h, kernel_w), (stride_h, stride_w) = weight.shape[2:], pair_of(stride)
    (pad_h, pad_w), dilations = pair_of(padding), pair_of(dilation)
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


def batch_norm(
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
    """Add a norm by its stored statistics, and its factors as a layer of their own."""
    if is_training or mean is None:
        layers.refuse("a norm without stored statistics has no layer in Caffe")
    settings = {"use_global_stats": True, "eps": eps}
    normed = layers.add("BatchNorm", [blob], blob.shape, mean, variance, torch.ones(1), batch_norm_param=settings)
    if weight is None:
        return normed
    shift = bias if bias is not None else torch.zeros_like(weight)
    return layers.add("Scale", [normed], blob.shape, weight, shift, scale_param={"axis": 1, "bias_term": True})


def activation(type: str) -> Callable[..., Blob]:
    """Return the function for an activation."""

    def handle(layers: Layers, blob: Blob, slope: float = 0.0) -> Blob:
        settings = {"relu_param": {"negative_slope": slope}} if type == "ReLU" and slope else {}
        return layers.add(type, [blob], blob.shape, **settings)

    return handle


def leaky(layers: Layers, blob: Blob, slope: float = 0.01) -> Blob:
    """Add a leaky ReLU."""
    return activation("ReLU")(layers, blob, slope)


def flatten(layers: Layers, blob: Blob, start: Any = 1, end: int = -1) -> Blob:
    """Add a layer that makes one axis of all but the first."""
    if start != 1 or end % len(blob.shape) != len(blob.shape) - 1:
        layers.refuse("flattening some axes only has no layer in Caffe")
    if len(blob.shape) == 2:
        return blob
    return layers.add("Flatten", [blob], (blob.shape[0], math.prod(blob.shape[1:])), flatten_param={"axis": 1})


def view(layers: Layers, blob: Blob, shape: Sequence[int]) -> Blob:
    """Add a layer for a view that flattens."""
    sizes = [blob.shape[0] if axis == 0 and size == -1 else size for axis, size in enumerate(shape)]
    rest = math.prod(blob.shape[1:])
    if len(sizes) != 2 or sizes[0] != blob.shape[0] or sizes[1] not in (-1, rest):
        layers.refuse(f"a view of {said(blob.shape)} as {said(tuple(shape))} has no layer in Caffe")
    return flatten(layers, blob)


def squeeze(layers: Layers, blob: Blob, *_axes: Any) -> Blob:
    """Add a layer for a squeeze of maps of one pixel."""
    if len(blob.shape) != 4 or blob.shape[2:] != (1, 1):
        layers.refuse("a squeeze has no layer in Caffe")
    return flatten(layers, blob)


def linear(layers: Layers, blob: Blob, weight: Any, bias: Any = None) -> Blob:
    """Add a linear layer."""
    if len(blob.shape) != 2 or not isinstance(weight, Tensor):
        layers.refuse("a linear layer of more than one axis, or with computed weights, has no layer in Caffe")
    settings = {"num_output": weight.shape[0], "bias_term": bias is not None}
    blobs = [weight] if bias is None else [weight, bias]
    shape = (blob.shape[0], weight.shape[0])
    return layers.add("InnerProduct", [blob], shape, *blobs, inner_product_param=settings)


def concat(layers: Layers, blobs: Sequence[Any], axis: int = 0) -> Blob:
    """Add a layer that joins channels."""
    if not all(isinstance(each, Blob) for each in blobs) or axis % len(blobs[0].shape) != 1:
        layers.refuse("joining along another axis than the channels, or with constants, has no layer in Caffe")
    shape = list(blobs[0].shape)
    shape[1] = sum(each.shape[1] for each in blobs)
    return layers.add("Concat", blobs, shape, concat_param={"axis": 1})


def softmax(layers: Layers, blob: Blob, axis: int, *_more: Any) -> Blob:
    """Add a softmax over the channels."""
    if axis % len(blob.shape) != 1:
        layers.refuse("a softmax along another axis than the channels has no layer in Caffe")
    return layers.add("Softmax", [blob], blob.shape, softmax_param={"axis": 1})
