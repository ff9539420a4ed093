"""What the layers of a network answer to an image: every channel of a layer as one grid."""

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
"""The colour of a channel that is the same everywhere; viridis has no grey, so it cannot be taken for a value."""
NOT_FINITE = (214, 39, 40)
WIDTH_PX = 640


@dataclass(frozen=True)
class Layer:
    """A layer whose answer is a map.

    Attributes:
        name: as `named_modules` calls it.
        kind: the module's class.
        shape: (channels, height, width) of its answer.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]


def run_order(model: nn.Module, example: Tensor) -> list[Layer]:
    """Return the layers whose answers are 4-D, in the order in which they finished; a layer run twice stands twice.

    Args:
        example: (1, C, H, W) as the model takes it.
    """
    found: list[Layer] = []

    def note(name: str, module: nn.Module, answer: Any) -> None:
        if isinstance(answer, Tensor) and answer.ndim == 4:
            _, channels, height, width = answer.shape
            found.append(Layer(name, type(module).__name__, (channels, height, width)))

    with contextlib.ExitStack() as hooks, evaluating(model), torch.no_grad():
        for name, module in model.named_modules():
            if name:  # the model itself is no layer
                handle = module.register_forward_hook(lambda m, _, answer, name=name: note(name, m, answer))
                hooks.callback(handle.remove)
        model(example)
    return found


def list_layers(model: nn.Module, example: Tensor) -> list[Layer]:
    """Return the layers that can be drawn, in the order of `named_modules`: those whose answer is 4-D.

    A layer that runs several times is listed once, with its last shape. The model is run once, without gradients, and
    left as it was.

    Args:
        example: (1, C, H, W) as the model takes it.
    """
    last = {layer.name: layer for layer in run_order(model, example)}
    return [last[name] for name, _ in model.named_modules() if name in last]


def layer_module(model: nn.Module, example: Tensor, name: str) -> nn.Module:
    """Return the layer of a name.

    Raises:
        UsageError: the model has no such layer, or the layer's answer is no map.
    """
    known = [layer.name for layer in list_layers(model, example)]
    if name in known:
        return model.get_submodule(name)
    if name in dict(model.named_modules()):
        raise UsageError(f"layer {name!r} gives no map of (channels, height, width)", hint=did_you_mean(name, known))
    raise UsageError(f"the network has no layer {name!r}", hint=did_you_mean(name, known))


def feature_maps(model: nn.Module, image: Tensor, layer: str) -> np.ndarray:
    """Return what a layer answers to one image: (channels, height, width) float32, of its last call.

    The answer is kept as the layer gave it, before a following in-place layer changes it. The hook is removed and
    every module's mode restored, also on an error.

    Args:
        image: (1, C, H, W) as the model takes it.

    Raises:
        UsageError: the model has no such layer, or its answer is no map.
        ValueError: `image` holds several images.
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
    """Return the channels of a layer as one square-ish grid, channel 0 at the top left, row by row.

    Each channel is scaled to its own range (viridis: dark is its smallest value, bright its largest), so brightness
    cannot be compared between channels. A channel that is the same everywhere is flat grey; NaN and infinity are red.

    Args:
        maps: (channels, height, width).
        max_channels: draw only the first so many.
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
    # A few channels are drawn larger, so that the whole is about as wide as the text above it.
    min_cell_px = max(MIN_CELL_PX, round(WIDTH_PX / math.ceil(math.sqrt(len(cells)))))
    return add_title(tile(cells, min_cell_px=min_cell_px), [title or "Feature maps", note])


def _colour_channel(channel: np.ndarray) -> tuple[np.ndarray, bool]:
    is_finite = np.isfinite(channel)
    finite = channel[is_finite].astype(np.float64)
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    # Rounding leaves differences of about 1e-7 of the size between positions that are equal in exact arithmetic.
    is_constant = bool(high - low <= 1e-6 * max(abs(low), abs(high)))
    if is_constant:
        cell = np.full((*channel.shape, 3), CONSTANT, np.uint8)
    else:
        level = np.round((np.where(is_finite, channel, low) - low) / (high - low) * 255).astype(np.uint8)
        cell = cv2.cvtColor(cv2.applyColorMap(level, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    cell[~is_finite] = NOT_FINITE
    return cell, is_constant and bool(is_finite.all())
