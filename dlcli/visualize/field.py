"""The receptive field of a layer: which pixels its middle unit can see, and how much each of them matters to it.

Luo et al. 2016, arXiv:1701.04128: the gradient of a unit with respect to the image, averaged over images, is much
narrower than the theoretical field, and wider in a trained network than in a new one.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from dlcli.models.costs import Field
from dlcli.models.following import FieldFollower
from dlcli.models.modes import evaluating
from dlcli.visualize.canvas import add_title, as_rgb, tile

NUM_IMAGES = 32
"""Images of noise over which the gradient is averaged where the user names none; the paper takes 20."""

SHARE = 1 - 0.9545
"""Share of the largest gradient above which a pixel belongs to the effective field: two standard deviations."""

SIDE_PX = 480
THEORETICAL = (213, 94, 0)
EFFECTIVE = (86, 180, 233)
"""The colours of the two squares (Okabe and Ito 2008), as RGB."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels, the last two exclusive."""


@dataclass(frozen=True, eq=False)
class LayerField:
    """What the middle unit of a layer sees.

    Attributes:
        unit: its row and column.
        shape: (channels, height, width) of the layer's output.
        theoretical: side in pixels of the square that it can see, also beyond the image; None for the whole image, or
            where it cannot be followed.
        box: that square within the image; the whole image for None.
        weights: (H, W) float64, how much each pixel matters, from 0 to 1.
        effective: the square root of the number of pixels that matter more than `SHARE`.
    """

    unit: tuple[int, int]
    shape: tuple[int, int, int]
    theoretical: int | None
    box: Box
    weights: np.ndarray
    effective: float


def noise_images(example: Tensor, count: int = NUM_IMAGES) -> Tensor:
    """Return images of uniform noise, (count, C, H, W) float32 in [0, 255], the same each time."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, *example.shape[1:]), generator=generator).float()


def measure_field(model: nn.Module, images: Sequence[Tensor], layer: str) -> LayerField:
    """Return the fields of the middle unit of a layer, of all its channels together; the model is not changed.

    Args:
        model: in any mode.
        images: (N, C, H, W) each and of equal size, as the model takes them.
        layer: the name of a layer whose output is a map.
    """
    total, field, shape = torch.zeros(images[0].shape[2:], dtype=torch.float64), None, (0, 0, 0)
    module = model.get_submodule(layer)
    with evaluating(model), _frozen(model):
        with torch.no_grad(), FieldFollower(pixels := images[0][:1].float()) as follower:
            field = follower.field_of(_output(model, module, pixels))
        for batch in images:
            pixels = batch.float().requires_grad_()
            with torch.enable_grad():
                output = _output(model, module, pixels)
                shape = (output.shape[1], output.shape[2], output.shape[3])
                unit = output[..., shape[1] // 2, shape[2] // 2].sum()
            [gradient] = torch.autograd.grad(unit, pixels)
            total += gradient.double().abs().sum(dim=(0, 1))
    weights = total.numpy() / (float(total.max()) or 1.0)
    row, column = shape[1] // 2, shape[2] // 2
    height, width = weights.shape
    return LayerField(
        unit=(row, column),
        shape=shape,
        theoretical=field.side if field is not None else None,
        box=_box(field, row, column, height, width) if field is not None else (0, 0, width, height),
        weights=weights,
        effective=math.sqrt(float((weights > SHARE).sum())),
    )


def _output(model: nn.Module, module: nn.Module, images: Tensor) -> Tensor:
    """Return what a module of the model returns for images, before a layer after it changes it in place."""
    kept: list[Tensor] = []
    # A copy is another tensor for the follower, which knows where it comes from.
    handle = module.register_forward_hook(lambda _module, _inputs, output: kept.append(output.clone()))
    try:
        model(images)
    finally:
        handle.remove()
    return kept[-1]


@contextlib.contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """Within the block, ask for no gradients of parameters."""
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        for parameter in learned:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in learned:
            parameter.requires_grad_(True)


def _box(field: Field, row: int, column: int, height: int, width: int) -> Box:
    top, bottom = (field.height.low + row * field.height.jump, field.height.high + row * field.height.jump + 1)
    left, right = (field.width.low + column * field.width.jump, field.width.high + column * field.width.jump + 1)
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height)


def effective_box(weights: np.ndarray) -> Box:
    """Return the smallest box that holds all pixels that matter more than `SHARE`."""
    rows, columns = np.nonzero(weights > SHARE)
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def draw_field(found: LayerField, image: np.ndarray, *, title: str, of_what: str) -> np.ndarray:
    """Return an image with both fields, beside the map of what matters, brighter where it matters more.

    Args:
        found: the fields.
        image: (H, W, 3) uint8 RGB, on which the squares are drawn.
        title: the heading.
        of_what: over which images the gradient is averaged.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    scale = max(1, SIDE_PX // max(found.weights.shape))
    # The square root shows the tail of the distribution, whose largest value is far above the rest.
    level = np.round(np.sqrt(found.weights) * 255).astype(np.uint8)
    heat = cv2.cvtColor(cv2.applyColorMap(level, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    tiles = []
    for picture in (as_rgb(image), heat):
        large = np.ascontiguousarray(np.repeat(np.repeat(picture, scale, axis=0), scale, axis=1))
        for box, colour in ((found.box, THEORETICAL), (effective_box(found.weights), EFFECTIVE)):
            left, top, right, bottom = (place * scale for place in box)
            cv2.rectangle(large, (left, top), (max(left, right - 1), max(top, bottom - 1)), colour, 2)
        tiles.append(large)
    channels, height, width = found.shape
    side = f"{found.theoretical} pixels" if found.theoretical is not None else "the whole image"
    lines = [
        title,
        f"what unit {found.unit[0]}, {found.unit[1]} of {height} x {width} sees, over its {channels} channels",
        f"orange: can see, {side}; blue: matters more than {SHARE:.1%} of the most, {found.effective:.1f} pixels",
        f"right: how much each pixel matters (root of the mean gradient), {of_what}",
    ]
    return add_title(tile(tiles, columns=2, scale=1, gap=6), lines)
