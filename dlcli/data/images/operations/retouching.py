"""What changes the values of pixels where they are: by OpenCV, on the CPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from dlcli.data.images.operations.colour import (
    FILL,
    LUMA,
    NOISE_SIZE,
    equal_table,
    noise_table,
    stretched_table,
    tone_table,
)
from dlcli.data.images.operations.columns import COLUMNS
from dlcli.data.images.operations.numbers import Numbers

MIN_BLUR_PX = 0.1
"""A smaller standard deviation changes nothing: a neighbour would weigh less than a thousandth."""


class Stage(NamedTuple):
    """A change of pixels.

    Attributes:
        names: the numbers that it takes.
        change: (image (H, W, C) uint8, the image's numbers) -> the changed image, perhaps without the last dimension.
    """

    names: tuple[str, ...]
    change: Callable[..., np.ndarray]


def retouch(images: np.ndarray, numbers: Numbers) -> np.ndarray:
    """Return the images with their pixels changed, (N, H, W, C) uint8; they are overwritten."""
    for stage in STAGES:
        own = [numbers[name] for name in stage.names if name in numbers]
        if len(own) == len(stage.names):
            for row in np.flatnonzero(_is_changed(stage.names, own)):
                image = images[row]
                images[row] = stage.change(image, *(values[row] for values in own)).reshape(image.shape)
    return images


def _is_changed(names: Sequence[str], numbers: Sequence[np.ndarray]) -> np.ndarray:
    """Return which images a stage changes, (N,) bool: those of which a number is not neutral."""
    differs = [values != _NEUTRAL.get(name, 0) for name, values in zip(names, numbers, strict=True)]
    return np.logical_or.reduce([each.reshape(len(each), -1).any(axis=1) for each in differs])


_NEUTRAL = {**{name: column.neutral for name, column in COLUMNS.items()}, "colour": np.eye(3)}


def _recolour(image: np.ndarray, matrix: np.ndarray, lift: float) -> np.ndarray:
    means, channels = cv2.mean(image), image.shape[2]
    if channels == 1:
        matrix, grey = matrix[:1].sum(axis=1, keepdims=True), means[0]
    else:
        grey = LUMA[0] * means[0] + LUMA[1] * means[1] + LUMA[2] * means[2]
    whole = np.empty((channels, channels + 1))
    whole[:, :-1], whole[:, -1] = matrix, lift * grey
    return cv2.transform(image, whole)


def _posterize(image: np.ndarray, bits: float) -> np.ndarray:
    return cv2.LUT(image, tone_table(int(bits), 256))


def _solarize(image: np.ndarray, threshold: float) -> np.ndarray:
    return cv2.LUT(image, tone_table(8, threshold))


def _by_histogram(table: Callable[[np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    def change(image: np.ndarray, _: bool) -> np.ndarray:
        counts = [
            cv2.calcHist([image], [channel], None, [256], [0, 256]).ravel().astype(np.int64)
            for channel in range(image.shape[2])
        ]
        return cv2.LUT(image, np.stack([table(count) for count in counts], axis=-1)[None])

    return change


def _sharpen(image: np.ndarray, factor: float) -> np.ndarray:
    if min(image.shape[:2]) < 3:
        return image
    smooth = cv2.filter2D(image, -1, SMOOTHING).reshape(image.shape)
    result = cv2.addWeighted(image, float(factor), smooth, 1 - float(factor), 0).reshape(image.shape)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):  # PIL leaves the outermost pixels as they are
        result[edge] = image[edge]
    return result


SMOOTHING = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
"""PIL's ImageFilter.SMOOTH, from which the sharpness leads away."""


def _blur(image: np.ndarray, share: float) -> np.ndarray:
    sigma = float(share) * min(image.shape[:2])
    if sigma < MIN_BLUR_PX:
        return image
    side = 2 * math.ceil(3 * sigma) + 1
    return cv2.GaussianBlur(image, (side, side), sigma, borderType=cv2.BORDER_REFLECT_101)


def _add_noise(image: np.ndarray, scale: float, start: int) -> np.ndarray:
    start = int(start) % NOISE_SIZE
    noise = noise_table()[start : start + image.size]
    if len(noise) < image.size:
        noise = noise_table()[(start + np.arange(image.size)) % NOISE_SIZE]
    noisy = image + 255 * np.float32(scale) * noise.reshape(image.shape)
    return noisy.round().clip(0, 255).astype(np.uint8)


def _cut(image: np.ndarray, holes: np.ndarray) -> np.ndarray:
    for top, left, bottom, right in holes.tolist():
        image[top:bottom, left:right] = FILL
    return image


STAGES = (
    Stage(("colour", "lift"), _recolour),
    Stage(("bits",), _posterize),
    Stage(("threshold",), _solarize),
    Stage(("autocontrast",), _by_histogram(stretched_table)),
    Stage(("equalize",), _by_histogram(equal_table)),
    Stage(("sharpness",), _sharpen),
    Stage(("blur",), _blur),
    Stage(("noise", "noise_start"), _add_noise),
    Stage(("holes",), _cut),
)
"""Every change of pixels, in order."""
