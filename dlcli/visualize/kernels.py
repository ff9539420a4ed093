"""The kernels of a convolution as pictures."""

from __future__ import annotations

import numpy as np
from torch import nn

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.visualize.canvas import add_title, colour_bar, stack, tile, unit_to_uint8

BETWEEN = 120
"""Grey between the tiles, a colour that the colour map (white at 0) does not contain."""
MOST_OUTPUTS = 64
MOST_INPUTS = 32
"""More than 64 x 32 tiles would be too small to see on 2000 px."""


def conv_kernels(model: nn.Module, layer: str | None = None) -> tuple[str, np.ndarray]:
    """Return the name of a convolution and its kernels, (out, in / groups, height, width) float32.

    Args:
        layer: the convolution's name; None for the model's first.

    Raises:
        UsageError: there is no such convolution.
    """
    convolutions = {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv2d)}
    if not convolutions:
        raise UsageError("the network has no convolution, so no kernels to draw")
    name = next(iter(convolutions)) if layer is None else layer
    if name not in convolutions:
        exists = name in dict(model.named_modules())
        what = f"layer {name!r} is not a convolution" if exists else f"the network has no layer {name!r}"
        raise UsageError(what, hint=did_you_mean(name, convolutions))
    return name, np.asarray(convolutions[name].weight.detach().float().cpu().numpy())


def draw_kernels(weights: np.ndarray, *, title: str | None = None) -> np.ndarray:
    """Return a picture of kernels, all on one scale that is symmetric around 0.

    Kernels with three input channels (the first layer of a network for colour images) are drawn in colour, with 0 as
    grey. Kernels with one input channel form a roughly square grid of blue (negative), white (0) and red (positive).
    Otherwise each (output, input) pair is a tile, with one row per output, for at most the first 64 outputs and 32
    inputs.

    Args:
        weights: (out, in, height, width) float.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    num_outputs, num_inputs, height, width = weights.shape
    largest = float(np.abs(weights).max()) or 1.0
    unit = 0.5 + weights / (2 * largest)  # in [0, 1], 0.5 is a weight of 0
    lines = [title or "Kernels"]
    if num_inputs == 3:
        lines.append(f"{num_outputs} kernels of {height} x {width} over red, green, blue; grey is 0")
        lines.append(f"one scale for all, from {-largest:.3g} to {largest:.3g}")
        return add_title(tile(unit_to_uint8(unit.transpose(0, 2, 3, 1)), gap=4), lines)
    palette = _diverging()
    shown = unit[:MOST_OUTPUTS, :MOST_INPUTS]
    colours = palette[unit_to_uint8(shown)].reshape(-1, height, width, 3)
    if num_inputs == 1:
        picture = tile(colours, gap=4, background=BETWEEN)
        lines.append(f"{_count(num_outputs, MOST_OUTPUTS)} kernels of {height} x {width} over one input each")
    else:
        picture = tile(colours, columns=shown.shape[1], gap=2, min_cell_px=24, background=BETWEEN)
        lines.append(
            f"rows: {_count(num_outputs, MOST_OUTPUTS)} outputs, columns: {_count(num_inputs, MOST_INPUTS)} inputs"
        )
    bar = colour_bar(palette, f"{-largest:.3g}", f"{largest:.3g}")
    return stack([add_title(picture, lines), bar], gap=6)


def _count(number: int, most: int) -> str:
    return str(number) if number <= most else f"the first {most} of {number}"


def _diverging() -> np.ndarray:
    """Return 256 colours from blue over white to red, (256, 3) uint8."""
    import matplotlib

    return unit_to_uint8(matplotlib.colormaps["RdBu_r"](np.arange(256))[:, :3])
