"""Reading and scaling images with the rounding of OpenCV, which the network was trained behind."""

from typing import Any

import numpy as np
from PIL import Image, ImageOps

Pixels = np.ndarray[Any, Any]


def read_image(path: str, channels: int = 3) -> Pixels:
    """Return an image of 8 bits a channel, (H, W, channels) uint8."""
    image = ImageOps.exif_transpose(Image.open(path))
    pixels = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    return pixels.reshape(*pixels.shape[:2], channels)


def shrink(image: Pixels, height: int, width: int) -> Pixels:
    """Return an image at a smaller size: the mean over the area of each pixel."""

    def shares(old: int, new: int) -> Pixels:
        edges = np.linspace(0, old, new + 1)
        overlap = np.minimum(edges[1:, None], np.arange(1, old + 1)) - np.maximum(edges[:-1, None], np.arange(old))
        return overlap.clip(0) * (new / old)

    rows = np.tensordot(shares(image.shape[0], height), image, 1)
    mean = np.einsum("wx,hxc->hwc", shares(image.shape[1], width), rows)
    is_half = (2 * height, 2 * width) == image.shape[:2]
    return (np.floor(mean + 0.5) if is_half else np.rint(mean)).astype(np.uint8)


def interpolate(image: Pixels, height: int, width: int) -> Pixels:
    """Return an image at a size that is not much smaller: bilinear, in OpenCV's 11 bits."""

    def taps(old: int, new: int) -> tuple[Pixels, Pixels, Pixels]:
        centre = ((np.arange(new) + 0.5) * (old / new) - 0.5).astype(np.float32)
        first = np.floor(centre).astype(int)
        return first.clip(0, old - 1), (first + 1).clip(0, old - 1), np.rint((centre - first) * 2048).astype(int)

    left, right, share = (part for part in taps(image.shape[1], width))
    rows = (image[:, left] * (2048 - share[:, None]) + image[:, right] * share[:, None]) >> 4
    top, bottom, share = (part for part in taps(image.shape[0], height))
    share = share[:, None, None]
    return (((rows[top] * (2048 - share) >> 16) + (rows[bottom] * share >> 16) + 2) >> 2).astype(np.uint8)


def as_batch(pixels: Pixels) -> dict[str, Pixels]:
    """Return (H, W, C) pixels as the network's input, one image of (C, H, W)."""
    return {"images": np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]}
