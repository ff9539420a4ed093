"""Pools of torch as layers of Caffe, which rounds the number of windows up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from dlcli.export.caffe_layers import convolution, flatten
from dlcli.export.caffe_net import Blob, Layers, pair_of, said


def max_pool(
    layers: Layers, blob: Blob, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil: bool = False
) -> Blob:
    """Add a pool of maxima."""
    if pair_of(dilation) != (1, 1):
        layers.refuse("a dilated pool has no layer in Caffe")
    return _pool(layers, blob, "MAX", kernel, stride, padding, ceil=ceil)


def mean_pool(
    layers: Layers,
    blob: Blob,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    ceil: bool = False,
    counts_padding: bool = True,
    divisor: int | None = None,
) -> Blob:
    """Add a pool of means."""
    if divisor is not None or (pair_of(padding) != (0, 0) and (ceil or not counts_padding)):
        layers.refuse("a mean pool that counts its padding in another way has no layer in Caffe")
    return _pool(layers, blob, "AVE", kernel, stride, padding, ceil=ceil)


def _pool(layers: Layers, blob: Blob, method: str, kernel: Any, stride: Any, padding: Any, *, ceil: bool) -> Blob:
    """Add a pool, which in Caffe rounds its number of windows up; OpenCV ignores the setting that rounds it down."""
    kernels, pads = pair_of(kernel), pair_of(padding)
    strides = pair_of(stride) if stride else kernels
    spans = [side + 2 * pad - size for side, pad, size in zip(blob.shape[2:], pads, kernels, strict=True)]
    rests = [span % step for span, step in zip(spans, strides, strict=True)]
    up = [math.ceil(span / step) + 1 for span, step in zip(spans, strides, strict=True)]
    up = [
        count - ((count - 1) * step >= side + pad)  # no window begins in the padding
        for count, step, side, pad in zip(up, strides, blob.shape[2:], pads, strict=True)
    ]
    down = [span // step + 1 for span, step in zip(spans, strides, strict=True)]
    if not ceil and up != down:
        blob, pads = _without_rest(layers, blob, method, pads, rests), (0, 0)
    settings: dict[str, Any] = {"pool": method}
    for name, (vertical, horizontal) in (("kernel", kernels), ("stride", strides), ("pad", pads)):
        settings |= {f"{name}_h": vertical, f"{name}_w": horizontal}
    return layers.add("Pooling", [blob], (*blob.shape[:2], *(up if ceil else down)), pooling_param=settings)


def _without_rest(layers: Layers, blob: Blob, method: str, pads: tuple[int, int], rests: Sequence[int]) -> Blob:
    """Return maps padded, and without the last rows and columns that fill no window: a convolution that moves them.

    It pads with zeros, which are no maximum of what may be negative.
    """
    if method == "MAX" and any(pads) and not layers.is_positive(blob):
        layers.refuse("a padded pool that rounds down, of values that may be negative, has no layer in Caffe")
    weight = torch.zeros(blob.shape[1], 1, 1 + rests[0], 1 + rests[1])
    weight[:, :, 0, 0] = 1.0
    return convolution(layers, blob, weight, padding=list(pads), groups=blob.shape[1])


def adaptive(layers: Layers, blob: Blob, size: Any) -> Blob:
    """Add a pool of means whose windows divide the maps evenly."""
    return _to_size(layers, blob, pair_of(size), "AVE")


def _to_size(layers: Layers, blob: Blob, size: tuple[int, int], method: str) -> Blob:
    if size == (1, 1):
        shape = (*blob.shape[:2], 1, 1)
        return layers.add("Pooling", [blob], shape, pooling_param={"pool": method, "global_pooling": True})
    if any(side % new for side, new in zip(blob.shape[2:], size, strict=True)):
        layers.refuse(f"an adaptive pool of {said(blob.shape[2:])} to {said(size)} has no layer in Caffe")
    kernel = [side // new for side, new in zip(blob.shape[2:], size, strict=True)]
    return _pool(layers, blob, method, kernel, kernel, 0, ceil=False)


def reduction(method: str) -> Callable[..., Blob]:
    """Return the function for a mean or a maximum over height and width."""

    def handle(layers: Layers, blob: Blob, axes: Any = (), keeps: bool = False, **_more: Any) -> Blob:
        found = sorted(axis % len(blob.shape) for axis in (axes if isinstance(axes, (list, tuple)) else [axes]))
        if len(blob.shape) != 4 or found != [2, 3]:
            layers.refuse("a reduction over other axes than height and width has no layer in Caffe")
        pooled = _to_size(layers, blob, (1, 1), method)
        return pooled if keeps else flatten(layers, pooled)

    return handle
