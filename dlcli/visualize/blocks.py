"""Pictures as coloured characters, for a terminal."""

from __future__ import annotations

import numpy as np

UPPER_HALF = "\N{UPPER HALF BLOCK}"
"""A cell with two pixels: the foreground colour is the upper one, the background colour the lower one."""

RESET = "\033[0m"


def as_blocks(picture: np.ndarray, columns: int) -> list[str]:
    """Return lines that show a picture on a terminal with 24-bit colours.

    A cell of a terminal is about twice as high as wide, so two pixels above each other keep the picture's shape.

    Args:
        picture: (H, W, 3) uint8 RGB; a wider one is scaled down to `columns` pixels, a narrower one stays.
        columns: cells in a line.
    """
    import cv2

    height, width = picture.shape[:2]
    if width > columns:
        size = (columns, max(1, round(height * columns / width)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    if len(picture) % 2:
        picture = np.concatenate([picture, picture[-1:]])
    return [_line(upper, lower) for upper, lower in zip(picture[::2].tolist(), picture[1::2].tolist(), strict=True)]


def _line(upper: list[list[int]], lower: list[list[int]]) -> str:
    """Return one line; a colour is written only where it changes, which leaves out most of a plain picture's codes."""
    parts, last = [], ""
    for (red, green, blue), (red_below, green_below, blue_below) in zip(upper, lower, strict=True):
        colours = f"\033[38;2;{red};{green};{blue};48;2;{red_below};{green_below};{blue_below}m"
        parts.append(UPPER_HALF if colours == last else colours + UPPER_HALF)
        last = colours
    return "".join(parts) + RESET
