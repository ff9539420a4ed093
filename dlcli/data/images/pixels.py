"""Statistics of pixels: mean and standard deviation per channel, and images that occur in two splits."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from isal import isal_zlib


class PixelStatistics:
    """Accumulates mean and standard deviation per channel over all pixels (not averages of per-image values)."""

    def __init__(self) -> None:
        self._count = 0
        self._sums: np.ndarray | None = None  # (2, C): of values, of squares

    def add(self, images: np.ndarray) -> None:
        """Add (..., W, C) uint8 images."""
        width, channels = images.shape[-2:]
        mean, std = cv2.meanStdDev(np.asarray(images).reshape(-1, width, channels))
        count = images.size // channels
        sums = np.stack([mean.ravel(), mean.ravel() ** 2 + std.ravel() ** 2]) * count
        self._sums = sums if self._sums is None else self._sums + sums
        self._count += count

    def result(self) -> tuple[list[float], list[float]]:
        """Return mean and standard deviation per channel, in [0, 1]; 0 and 1 if no images were added."""
        if self._sums is None:
            return [0.0], [1.0]
        mean, mean_square = self._sums / self._count
        std = np.sqrt(np.maximum(mean_square - mean**2, 0.0))
        return [round(value / 255, 6) for value in mean.tolist()], [round(value / 255, 6) for value in std.tolist()]


def row_checksums(images: np.ndarray) -> np.ndarray:
    """Return the CRC-32 of each image, (N,) uint32, of (N, H, W, C) uint8 images."""
    if not len(images):
        return np.empty(0, np.uint32)
    size = images[0].size
    view = np.ascontiguousarray(images).reshape(-1).data
    return np.fromiter(
        (isal_zlib.crc32(view[at : at + size]) for at in range(0, len(view), size)), np.uint32, len(images)
    )


def leak_warnings(images: Mapping[str, np.ndarray], checksums: Mapping[str, np.ndarray]) -> list[str]:
    """Return one warning for each pair of splits that share images, pixel for pixel.

    Args:
        images: split -> (N, H, W, C) uint8; only images with equal checksums are read.
        checksums: split -> (N,) uint32 from `row_checksums`.
    """
    warnings: list[str] = []
    for first, second in itertools.combinations(images, 2):
        common = np.intersect1d(checksums[first], checksums[second])
        if common.size:
            pixels = {images[first][row].tobytes() for row in np.flatnonzero(np.isin(checksums[first], common))}
            rows = np.flatnonzero(np.isin(checksums[second], common))
            count = sum(images[second][row].tobytes() in pixels for row in rows)
            warnings.extend(leak_warning(first, second, count))
    return warnings


def leak_warning(first: str, second: str, count: int) -> Sequence[str]:
    """Return the warning that `count` images of the second split are also in the first; none for 0."""
    if not count:
        return ()
    images = "1 image is" if count == 1 else f"{count:,} images are"
    return (f"leak: {images} in both {first} and {second}",)
