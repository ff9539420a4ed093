"""Pictures as coloured characters, for a terminal."""

from __future__ import annotations

import numpy as np

UPPER_HALF = "\N{UPPER HALF BLOCK}"
"""A cell with two pixels: the foreground colour is the upper one, the background colour the lower one."""

RESET = "\033[0m"


_CUBE = np.array([0, 95, 135, 175, 215, 255])
"""The levels of each colour of xterm's cube of 216, the numbers 16 to 231; 232 to 255 are greys from 8 to 238."""


def as_blocks(picture: np.ndarray, columns: int, *, has_true_colour: bool = True) -> list[str]:
    """Return lines that show a picture on a terminal with 24-bit or 256 colours.

    A cell of a terminal is about twice as high as wide, so two pixels above each other keep the picture's shape.

    Args:
        picture: (H, W, 3) uint8 RGB; a wider one is scaled down to `columns` pixels, a narrower one stays.
        columns: cells in a line.
        has_true_colour: whether colours have 24 bits; else each is the nearest of xterm's 256.
    """
    import cv2

    height, width = picture.shape[:2]
    if width > columns:
        size = (columns, max(1, round(height * columns / width)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    if len(picture) % 2:
        picture = np.concatenate([picture, picture[-1:]])
    codes = _true_codes(picture) if has_true_colour else _codes_of_256(picture)
    return [_line(upper, lower) for upper, lower in zip(codes[::2], codes[1::2], strict=True)]


def _true_codes(picture: np.ndarray) -> list[list[str]]:
    """Return the code of each pixel, without whether it is that of the foreground."""
    return [[f"2;{red};{green};{blue}" for red, green, blue in row] for row in picture.tolist()]


def _codes_of_256(picture: np.ndarray) -> list[list[str]]:
    """Return the code of the nearest of xterm's colours, of the cube or of the greys, by squared distance."""
    colours = picture.astype(np.int64)
    levels = np.abs(colours[..., None] - _CUBE).argmin(axis=-1)
    cube = 16 + levels @ np.array([36, 6, 1])
    step = np.clip(np.rint((colours.mean(axis=-1) - 8) / 10), 0, 23).astype(np.int64)
    grey = (8 + 10 * step)[..., None]
    is_grey = ((colours - grey) ** 2).sum(axis=-1) < ((colours - _CUBE[levels]) ** 2).sum(axis=-1)
    return [[f"5;{code}" for code in row] for row in np.where(is_grey, 232 + step, cube).tolist()]


def _line(upper: list[str], lower: list[str]) -> str:
    """Return one line; a colour is written only where it changes, which leaves out most of a plain picture's codes."""
    parts, last = [], ""
    for above, below in zip(upper, lower, strict=True):
        colours = f"\033[38;{above};48;{below}m"
        parts.append(UPPER_HALF if colours == last else colours + UPPER_HALF)
        last = colours
    return "".join(parts) + RESET
