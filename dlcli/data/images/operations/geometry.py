"""One 3 x 3 matrix per image for everything that moves pixels, as in Karras et al. 2020, arXiv:2006.06676.

Positions are measured from the top left corner of the first pixel, so that the centre of a pixel lies at a half, and
are (x, y, 1) columns: a frame of W x H pixels covers [0, W] x [0, H].
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

Size = tuple[int, int]
"""Height and width in pixels."""

NAMES = (
    "flip", "vflip", "turns", "zoom", "aspect", "shear_x", "shear_y", "angle", "corners", "shift_x", "shift_y",
)  # fmt: skip
"""The columns of `matrices`."""

MIDDLE = np.array([[1.0, 0.0, 0.5, 0.5]])
"""The largest window, in the middle: (1, 4)."""

_MAX_STRETCH = math.log(4 / 3)
"""Logarithm of the most by which a random crop changes the ratio of the sides (Szegedy et al. 2014)."""

_DIAGONAL = np.arange(3)


def _identities(count: int) -> np.ndarray:
    result = np.zeros((count, 3, 3))
    result[:, _DIAGONAL, _DIAGONAL] = 1.0
    return result


def _translations(x: np.ndarray | float, y: np.ndarray | float, count: int) -> np.ndarray:
    result = _identities(count)
    result[:, 0, 2], result[:, 1, 2] = x, y
    return result


def matrices(columns: Mapping[str, np.ndarray], count: int, frame: Size) -> np.ndarray:
    """Return what moves each image within its frame, (N, 3, 3): flips, turns, zoom, shear, rotation, and so on.

    All but the shift are about the centre. A frame that is not square is turned by half turns only.

    Args:
        columns: any of those in `NAMES`, one row per image.
        count: number of images, N.
        frame: height and width in pixels.
    """
    height, width = frame
    result = _translations(-width / 2, -height / 2, count)
    for name, column, place in (("flip", "flip", 0), ("vflip", "vflip", 1)):
        if name in columns:
            mirror = _identities(count)
            mirror[:, place, place] = np.where(columns[column], -1, 1)
            result = mirror @ result
    if "turns" in columns:
        result = _quarter_turns(columns["turns"] if height == width else 2 * (columns["turns"] > 0)) @ result
    for name, powers in (("zoom", (1.0, 1.0)), ("aspect", (0.5, -0.5))):
        if name in columns:
            scaling = _identities(count)
            scaling[:, 0, 0], scaling[:, 1, 1] = (columns[name] ** power for power in powers)
            result = scaling @ result
    for name, row in (("shear_x", 0), ("shear_y", 1)):
        if name in columns:
            slant = _identities(count)
            slant[:, row, 1 - row] = np.tan(np.radians(columns[name]))
            result = slant @ result
    if "angle" in columns:
        result = _rotations(columns["angle"]) @ result
    result = _translations(width / 2, height / 2, count) @ result
    if "corners" in columns:
        to_unit = np.diag([1 / width, 1 / height, 1.0])
        result = np.diag([width, height, 1.0]) @ _from_unit_square(columns["corners"]) @ to_unit @ result
    shifts = (columns.get("shift_x", 0.0), columns.get("shift_y", 0.0))
    # By whole pixels: a shift alone then needs no interpolation, and small images stay sharp.
    return _translations(np.round(shifts[0] * width), np.round(shifts[1] * height), count) @ result


def _quarter_turns(turns: np.ndarray) -> np.ndarray:
    """Return counter-clockwise quarter turns about the origin, with y downwards, exact: (N, 3, 3)."""
    result = _identities(len(turns))
    cos, sin = np.array([1, 0, -1, 0])[turns % 4], np.array([0, 1, 0, -1])[turns % 4]
    result[:, 0, 0], result[:, 0, 1], result[:, 1, 0], result[:, 1, 1] = cos, sin, -sin, cos
    return result


def _rotations(degrees: np.ndarray) -> np.ndarray:
    """Return counter-clockwise rotations about the origin, with y downwards, (N, 3, 3)."""
    result = _identities(len(degrees))
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    result[:, 0, 0], result[:, 0, 1], result[:, 1, 0], result[:, 1, 1] = cos, sin, -sin, cos
    return result


def _from_unit_square(moved: np.ndarray) -> np.ndarray:
    """Return the projections of the unit square onto itself with moved corners, (N, 3, 3).

    Args:
        moved: (N, 4, 2), as the column `corners`.

    Source: Heckbert 1989, Fundamentals of Texture Mapping and Image Warping, 2.2.3.
    """
    (x0, x1, x2, x3), (y0, y1, y2, y3) = (np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) + moved).transpose(2, 1, 0)
    x_sum, y_sum = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    area = (x1 - x2) * (y3 - y2) - (x3 - x2) * (y1 - y2)
    g = (x_sum * (y3 - y2) - (x3 - x2) * y_sum) / area
    h = ((x1 - x2) * y_sum - x_sum * (y1 - y2)) / area
    rows = [x1 - x0 + g * x1, x3 - x0 + h * x3, x0, y1 - y0 + g * y1, y3 - y0 + h * y3, y0, g, h, np.ones_like(g)]
    return np.stack(rows, axis=1).reshape(-1, 3, 3)


def windows(shapes: np.ndarray, size: Size, frame: Size) -> np.ndarray:
    """Return the windows of random crops, in whole pixels: left, top, width, height, (N, 4) float64.

    Args:
        shapes: (N, 4) area, ratio and place (x, y): the area in that of the largest window with the frame's ratio of
            sides; the ratio in [-1, 1], by which the window's own differs from it as far as its area leaves room; the
            place in [0, 1] of the room to the left and above. `MIDDLE` is that of prediction.
        size: of the images.
        frame: of the result.
    """
    area, ratio, *place = shapes.T
    largest = min(size[0] / frame[0], size[1] / frame[1])
    stretch = np.exp(ratio * np.minimum(_MAX_STRETCH, -np.log(area)))
    height = np.round(frame[0] * largest * np.sqrt(area / stretch)).clip(1, size[0])
    width = np.round(frame[1] * largest * np.sqrt(area * stretch)).clip(1, size[1])
    left, top = np.floor(place[0] * (size[1] - width)), np.floor(place[1] * (size[0] - height))
    return np.stack([left, top, width, height], axis=1)


def fits(windows: np.ndarray, frame: Size) -> np.ndarray:
    """Return the matrices that map windows onto a frame, (N, 3, 3)."""
    left, top, width, height = windows.T
    x, y = frame[1] / width, frame[0] / height
    result = _translations(-x * left, -y * top, len(windows))
    result[:, 0, 0], result[:, 1, 1] = x, y
    return result


def exact_moves(matrices: np.ndarray, frame: Size) -> np.ndarray:
    """Return how each matrix only mirrors and turns the frame, (N,) int64.

    That is 2 * the counter-clockwise quarter turns + 1 if it is mirrored left to right first, 0 for a matrix that
    changes nothing, and -1 for one that needs interpolation or moves the frame.

    Args:
        matrices: (N, 3, 3).
        frame: height and width in pixels.
    """
    result = np.full(len(matrices), -1)
    centre = np.array([frame[1] / 2, frame[0] / 2, 1.0])
    is_centred = (matrices @ centre == centre).all(axis=1) & ~matrices[:, 2, :2].any(axis=1)
    for code, move in enumerate(_EXACT if frame[0] == frame[1] else (*_EXACT[:2], None, None, *_EXACT[4:6])):
        if move is not None:
            result[is_centred & (matrices[:, :2, :2] == move).all(axis=(1, 2))] = code
    return result


_EXACT = tuple(turn @ np.diag([sign, 1.0]) for turn in _quarter_turns(np.arange(4))[:, :2, :2] for sign in (1.0, -1.0))
