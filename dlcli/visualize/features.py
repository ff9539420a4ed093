"""Feature maps: every channel of a layer's output for an image, as one grid."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.models.modes import evaluating
from dlcli.visualize.canvas import MIN_CELL_PX, add_title, tile

CONSTANT = (48, 48, 48)
"""The colour of a constant channel; viridis has no grey, so it cannot be mistaken for a value."""
NOT_FINITE = (214, 39, 40)
WIDTH_PX = 640


@dataclass(frozen=True)
class Layer:
    """A layer whose output is a map.

    Attributes:
        name: its name in `named_modules`.
        kind: the module's class name.
        shape: (channels, height, width) of its output.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]


def run_order(model: nn.Module, example: Tensor) -> list[Layer]:
    """Return the layers with 4-D outputs in the order in which they finish; a layer that runs twice appears twice.

    Args:
        example: (1, C, H, W) float, as the model expects it.
    """
    found: list[Layer] = []

    def note(name: str, module: nn.Module, answer: Any) -> None:
        if isinstance(answer, Tensor) and answer.ndim == 4:
            _, channels, height, width = answer.shape
            found.append(Layer(name, type(module).__name__, (channels, height, width)))

    with contextlib.ExitStack() as hooks, evaluating(model), torch.no_grad():
        for name, module in model.named_modules():
            if name:  # the model itself is not a layer
                handle = module.register_forward_hook(lambda m, _, answer, name=name: note(name, m, answer))
                hooks.callback(handle.remove)
        model(example)
    return found


def list_layers(model: nn.Module, example: Tensor) -> list[Layer]:
    """Return the layers that can be drawn, those with 4-D outputs, in the order of `named_modules`.

    A layer that runs several times is listed once, with its last shape. The model runs once, without gradients, and is
    left unchanged.

    Args:
        example: (1, C, H, W) float, as the model expects it.
    """
    last = {layer.name: layer for layer in run_order(model, example)}
    return [last[name] for name, _ in model.named_modules() if name in last]


def layer_module(model: nn.Module, example: Tensor, name: str) -> nn.Module:
    """Return the layer with the given name.

    Args:
        example: (1, C, H, W) float, as the model expects it.

    Raises:
        UsageError: the model has no such layer, or the layer's output is not a map.
    """
    known = [layer.name for layer in list_layers(model, example)]
    if name in known:
        return model.get_submodule(name)
    if name in dict(model.named_modules()):
        raise UsageError(f"the output of layer {name!r} is not a map", hint=did_you_mean(name, known))
    raise UsageError(f"the network has no layer {name!r}", hint=did_you_mean(name, known))


def feature_maps(model: nn.Module, image: Tensor, layer: str) -> np.ndarray:
    """Return a layer's output for one image, (channels, height, width) float32; for repeated calls, the last.

    The output is copied before a following in-place layer can change it. The hook is removed and every module's mode
    restored, even on an error.

    Args:
        image: (1, C, H, W) float, as the model expects it.

    Raises:
        UsageError: the model has no such layer, or its output is not a map.
        ValueError: `image` is a batch of several images.
    """
    if image.shape[0] != 1:
        raise ValueError(f"one image, not {image.shape[0]}")
    module = layer_module(model, image, layer)
    kept: list[Tensor] = []
    handle = module.register_forward_hook(lambda _module, _inputs, answer: kept.append(answer.detach().clone()))
    try:
        with evaluating(model), torch.no_grad():
            model(image)
    finally:
        handle.remove()
    return np.asarray(kept[-1][0].float().cpu().numpy())


def draw_features(maps: np.ndarray, *, max_channels: int | None = None, title: str | None = None) -> np.ndarray:
    """Return the channels of a layer as one roughly square grid, channel 0 at the top left, row by row.

    Each channel is scaled to its own range (viridis: dark is its smallest value, bright its largest), so brightness
    cannot be compared between channels. A constant channel is grey; NaN and infinity are red.

    Args:
        maps: (channels, height, width) float.
        max_channels: draw at most the first N channels.
        title: replaces the heading.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    shown = maps[:max_channels]
    cells, num_constant = [], 0
    for channel in shown:
        cell, is_constant = _colour_channel(channel)
        cells.append(cell)
        num_constant += is_constant
    count = f"{len(maps)}" if len(shown) == len(maps) else f"the first {len(shown)} of {len(maps)}"
    size = f"{maps.shape[1]} x {maps.shape[2]}"
    note = f"{count} channels of {size}, each scaled to its own range (dark: its lowest, bright: its highest)"
    if num_constant:
        note += f"; {num_constant} constant (grey)"
    # If there are few channels they are enlarged, so that the grid is about as wide as the text above it.
    min_cell_px = max(MIN_CELL_PX, round(WIDTH_PX / math.ceil(math.sqrt(len(cells)))))
    return add_title(tile(cells, min_cell_px=min_cell_px), [title or "Feature maps", note])


def _colour_channel(channel: np.ndarray) -> tuple[np.ndarray, bool]:
    is_finite = np.isfinite(channel)
    finite = channel[is_finite].astype(np.float64)
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    # Rounding leaves relative differences of about 1e-7 between positions that are equal in exact arithmetic.
    is_constant = bool(high - low <= 1e-6 * max(abs(low), abs(high)))
    if is_constant:
        cell = np.full((*channel.shape, 3), CONSTANT, np.uint8)
    else:
        level = np.round((np.where(is_finite, channel, low) - low) / (high - low) * 255).astype(np.uint8)
        cell = cv2.cvtColor(cv2.applyColorMap(level, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    cell[~is_finite] = NOT_FINITE
    return cell, is_constant and bool(is_finite.all())
