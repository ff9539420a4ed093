"""Fitting images of any size to a detector's canvas, and answers back to the image. Torch-free.

The image is scaled by one factor, so that its longer side is the wanted one, and put in the canvas's top left corner;
the rest is grey. The canvas is as small as the stride allows: a square would be a quarter empty for photos of 4 : 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcli.data.images.operations.colour import FILL
from dlcli.data.images.operations.moving import resize

Size = tuple[int, int]
"""Height and width in pixels."""

STRIDE = 32
"""Sides of a canvas are multiples of this: the coarsest map of the detectors here."""


@dataclass(frozen=True)
class Fit:
    """How an image lies in a canvas: x' = x * scale_x, y' = y * scale_y.

    Attributes:
        size: of the image.
        inner: of the image within the canvas.
        canvas: of the canvas.
    """

    size: Size
    inner: Size
    canvas: Size

    @property
    def numbers(self) -> tuple[int, int, int, int, int, int]:
        """The three sizes as one row of a batch's `fits`."""
        return (*self.size, *self.inner, *self.canvas)

    @classmethod
    def from_numbers(cls, row: Sequence[int]) -> Fit:
        """Return the fit whose `numbers` these are."""
        values = [int(value) for value in row]
        return cls((values[0], values[1]), (values[2], values[3]), (values[4], values[5]))

    @classmethod
    def of_whole(cls, image: np.ndarray) -> Fit:
        """Return the fit of an image, (H, W, C), that is its own canvas."""
        size = (image.shape[0], image.shape[1])
        return cls(size, size, size)

    @property
    def scale(self) -> np.ndarray:
        """(4,) float64 by which xyxy boxes of the image become boxes of the canvas; the sides are rounded apart."""
        vertical, horizontal = self.inner[0] / self.size[0], self.inner[1] / self.size[1]
        return np.array([horizontal, vertical, horizontal, vertical])

    def to_canvas(self, boxes: np.ndarray) -> np.ndarray:
        """Return boxes of the image, (N, 4) xyxy, as boxes of the canvas."""
        return np.asarray(boxes, np.float64).reshape(-1, 4) * self.scale

    def to_image(self, boxes: np.ndarray) -> np.ndarray:
        """Return boxes of the canvas, (N, 4) xyxy, as boxes of the image, cut at its edges."""
        height, width = self.size
        return (np.asarray(boxes, np.float64).reshape(-1, 4) / self.scale).clip(0, [width, height, width, height])


def fit_size(size: Size, side: int, canvas: Size | None = None, stride: int = STRIDE) -> Fit:
    """Return how an image fits a canvas.

    Args:
        size: of the image.
        side: the length of its longer side in the canvas.
        canvas: of a given size, in which the image is as large as it can be; None for the smallest one.
        stride: of which the sides of the smallest canvas are multiples.
    """
    if canvas is None:
        ratio = side / max(size)
        inner = (max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio)))
        return Fit(size, inner, (math.ceil(inner[0] / stride) * stride, math.ceil(inner[1] / stride) * stride))
    ratio = min(canvas[0] / size[0], canvas[1] / size[1])
    inner = (min(canvas[0], max(1, round(size[0] * ratio))), min(canvas[1], max(1, round(size[1] * ratio))))
    return Fit(size, inner, canvas)


def typical_canvas(sizes: Sequence[Size], side: int, stride: int = STRIDE) -> Size:
    """Return the canvas that suits most images: as wide and high as the median image at this longer side."""
    ratios = np.array([height / width for height, width in sizes])
    ratio = float(np.median(ratios)) if len(ratios) else 1.0
    size = (side * min(1.0, ratio), side * min(1.0, 1 / ratio))
    height, width = (max(stride, math.ceil(round(length) / stride) * stride) for length in size)
    return height, width


def fit_image(image: np.ndarray, fit: Fit) -> np.ndarray:
    """Return the canvas with the image, (H, W, C) uint8."""
    canvas = np.full((*fit.canvas, image.shape[2]), FILL, np.uint8)
    canvas[: fit.inner[0], : fit.inner[1]] = resize(image, fit.inner)
    return canvas
