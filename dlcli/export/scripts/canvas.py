"""Putting an image of any size on the canvas of a network that answers with positions."""

import math
from typing import Any

import numpy as np

from dlcli.export.scripts.pixels import Pixels, interpolate, shrink


def on_canvas(image: Pixels, preprocess: dict[str, Any]) -> tuple[Pixels, tuple[int, int]]:
    """Return the canvas with an image in its corner, (H, W, 3), and the height and width of the image in it."""
    (height, width), canvas = image.shape[:2], preprocess["canvas"]
    limits = canvas or [preprocess["side"]] * 2
    ratio = min(limits[0] / height, limits[1] / width)
    inner = (min(limits[0], max(1, round(height * ratio))), min(limits[1], max(1, round(width * ratio))))
    filled = np.full((*(canvas or [math.ceil(side / 32) * 32 for side in inner]), 3), 128, np.uint8)
    if inner != (height, width):
        factor = math.sqrt(height * width / (inner[0] * inner[1]))
        while factor > math.sqrt(2) and min(image.shape[:2]) > 1:  # halved until the last step skips no pixels
            height, width, factor = image.shape[0] // 2, image.shape[1] // 2, factor / 2
            image = shrink(image[: 2 * height, : 2 * width], height, width)
        image = interpolate(image, *inner)
    filled[: inner[0], : inner[1]] = image
    return filled, inner
