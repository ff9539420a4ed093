"""One 3 x 3 matrix and one shift per image for brightness, contrast, saturation, hue and grey, and tables for tones."""

from __future__ import annotations

import functools

import numpy as np

LUMA = np.array([0.299, 0.587, 0.114])
"""How bright red, green and blue are: ITU-R BT.601, as in every conversion to grey here."""

FILL = 128
"""Value of cut-out pixels: close to the mean of every dataset, hence close to 0 after normalisation."""

NOISE_SIZE = 2**18


def colour_matrices(
    brightness: np.ndarray, contrast: np.ndarray, saturation: np.ndarray, hue: np.ndarray, grey: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what changes the colours of images in this order: matrices (N, 3, 3), and lifts (N,).

    A pixel becomes `matrix @ pixel + lift * mean`, where the mean is that of the image's grey. Brightness, contrast and
    saturation are those of PIL and torchvision, but values are clipped only at the end. The hue turns about the axis of
    greys (Karras et al. 2020, arXiv:2006.06676, appendix B), which for thirds of the circle is what HSV does too.

    Args:
        brightness, contrast, saturation: (N,) factors.
        hue: (N,) in turns.
        grey: (N,) bool, whether to remove the colour.
    """
    saturation = np.where(grey, 0.0, saturation)
    cos, sin = np.cos(2 * np.pi * hue), np.sin(2 * np.pi * hue)
    same, left, right = (1 + 2 * cos) / 3, (1 - cos) / 3 - sin / np.sqrt(3), (1 - cos) / 3 + sin / np.sqrt(3)
    turn = np.stack([same, left, right, right, same, left, left, right, same], axis=1).reshape(-1, 3, 3)
    colour = saturation[:, None, None] * turn + (1 - saturation)[:, None, None] * LUMA
    return (brightness * contrast)[:, None, None] * colour, brightness * (1 - contrast)


def tone_table(bits: int, threshold: float) -> np.ndarray:
    """Return the new value of each of 256: its last bits cleared, then inverted from a threshold on. (256,) uint8."""
    values = np.arange(256) & (256 - (1 << (8 - bits)))
    return np.where(values >= threshold, 255 - values, values).astype(np.uint8)


def stretched_table(counts: np.ndarray) -> np.ndarray:
    """Return the new value of each of 256 that stretches a channel to full contrast, (256,) uint8.

    Args:
        counts: (256,) the channel's histogram.
    """
    present = np.flatnonzero(counts)
    low, high = int(present[0]), int(present[-1])
    values = np.arange(256.0)
    return (values if low == high else ((values - low) * (255 / (high - low))).clip(0, 255)).astype(np.uint8)


def equal_table(counts: np.ndarray) -> np.ndarray:
    """Return the new value of each of 256 that equalizes a channel's histogram as PIL does, (256,) uint8.

    Args:
        counts: (256,) the channel's histogram.
    """
    step = (int(counts.sum()) - int(counts[np.flatnonzero(counts)[-1]])) // 255
    if step == 0:
        return np.arange(256, dtype=np.uint8)
    before = np.cumsum(counts) - counts
    return ((before + step // 2) // step).clip(0, 255).astype(np.uint8)


@functools.cache
def noise_table() -> np.ndarray:
    """Return normal noise from which each image takes a piece, (NOISE_SIZE,) float32: as good as new, and a lookup."""
    return np.random.default_rng(0).standard_normal(NOISE_SIZE).astype(np.float32)
