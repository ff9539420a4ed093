"""Pixels that a program holds in memory: arrays, and pictures of Pillow. Torch-free."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlcli.core.errors import DataError, UsageError
from dlcli.data.images.decoding import MAX_PIXELS, pixels_of_image

if TYPE_CHECKING:
    from PIL.Image import Image


def pixels_of_array(array: np.ndarray) -> np.ndarray:
    """Return an array as (H, W, 1) or (H, W, 3) uint8; alpha is dropped.

    Args:
        array: (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA, uint8.

    Raises:
        UsageError: it has another shape or type. Values of floats have no defined range, and OpenCV's order of colours
            cannot be told from RGB, so neither is guessed.
    """
    shape = "x".join(map(str, array.shape))
    if array.dtype != np.uint8:
        hint = "convert it: `(255 * array).round().astype('uint8')` for values from 0 to 1"
        raise UsageError(f"an array of {array.dtype} is no picture: uint8 is", hint=hint)
    pixels = array[:, :, np.newaxis] if array.ndim == 2 else array
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or pixels.size == 0:
        hint = "height, width and 1, 3 or 4 channels last: `array.transpose(1, 2, 0)` puts those of torch there"
        raise UsageError(f"an array of {shape} is no picture", hint=hint)
    if pixels.shape[0] * pixels.shape[1] >= MAX_PIXELS:
        raise UsageError(f"an array of {shape} has too many pixels (the limit is 100 megapixels)")
    return np.ascontiguousarray(pixels[:, :, :3] if pixels.shape[2] == 4 else pixels)


def pixels_of_pillow(image: Image) -> np.ndarray | DataError:
    """Return a picture of Pillow as it would be read from its file, (H, W, 1) or (H, W, 3) uint8, or why it cannot."""
    if image.width * image.height >= MAX_PIXELS:
        return DataError(f"{image.width} x {image.height} pixels are too many (the limit is 100 megapixels)")
    try:
        return pixels_of_image(image, 1 if image.mode in ("1", "L") else 3)
    except DataError as error:
        return error
