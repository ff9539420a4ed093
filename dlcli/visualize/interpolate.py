"""Walks between points of noise: how the images of a generator change from one draw to the next. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dlcli.visualize.canvas import tile
from dlcli.visualize.subject import Animation

PARALLEL = 1e-6
"""Below this sine of the angle between two draws, the arc is a straight line."""

Make = Callable[[np.ndarray], Sequence[np.ndarray]]
"""(N, Z) noise -> N images, each (H, W, 3) uint8 RGB."""


def spherical_interpolation(first: np.ndarray, second: np.ndarray, steps: int) -> np.ndarray:
    """Return the points of an arc between two draws, ends included, (steps, Z) float32.

    A straight line would pass points much nearer to the origin than any draw of many normal numbers is.

    Source: White 2016, arXiv:1609.04468, section 2.1.

    Args:
        first, second: (Z,).
        steps: at least two.
    """
    shares = np.linspace(0.0, 1.0, steps)[:, None]
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    angle = np.arccos(np.clip(np.dot(first, second) / max(lengths, 1e-12), -1.0, 1.0))
    if np.sin(angle) < PARALLEL:
        return np.asarray((1 - shares) * first + shares * second, np.float32)
    weights = np.sin((1 - shares) * angle), np.sin(shares * angle)
    return np.asarray((weights[0] * first + weights[1] * second) / np.sin(angle), np.float32)


def draw_walks(ends: np.ndarray, steps: int, make: Make) -> np.ndarray:
    """Return a grid in which each row is a walk from one draw to another, (H, W, 3) uint8 RGB.

    Args:
        ends: (R, 2, Z), the first and the last draw of each row.
        steps: images in a row.
        make: makes the images.
    """
    points = [spherical_interpolation(first, second, steps) for first, second in ends]
    return tile(make(np.concatenate(points)), columns=steps)


def animate_walk(draws: np.ndarray, steps: int, seconds: float, make: Make) -> Animation:
    """Return an animation that passes several draws and ends where it began.

    Args:
        draws: (K, Z), at least two.
        steps: images from one draw to the next, the last of which is the first of the next way.
        seconds: how long each image is shown.
        make: makes the images.
    """
    ways = zip(draws, np.roll(draws, -1, axis=0), strict=True)
    points = np.concatenate([spherical_interpolation(first, second, steps + 1)[:-1] for first, second in ways])
    return Animation([tile([image], gap=0) for image in make(points)], seconds)
