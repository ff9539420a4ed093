"""Pairs of images side by side, and images with captions, as one sheet. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlcli.visualize.canvas import add_title, as_rgb, equal_cells, tile

MAX_PAIRS, MAX_SINGLE = 48, 60
"""As many as one sheet shows at a size at which they can be told apart."""

CELL_PX = 150
"""Room for about twenty characters under an image."""


def draw_pairs(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], captions: Sequence[str], title: Sequence[str]
) -> np.ndarray:
    """Return a sheet of pairs of images, each side by side above its caption, (height, width, 3) uint8 RGB.

    Args:
        pairs: images, (H, W), (H, W, 1) or (H, W, 3) uint8 of any size.
        captions: one for each pair; line breaks are respected.
        title: the lines above.

    Raises:
        ValueError: there are no pairs, or not one caption for each.
    """
    cells = equal_cells([as_rgb(image) for pair in pairs for image in pair])
    joined = [np.concatenate([cells[at], cells[at + 1]], axis=1) for at in range(0, len(cells), 2)]
    return add_title(tile(joined, captions=list(captions), gap=8, min_cell_px=CELL_PX // 2), list(title))


def draw_captioned(images: Sequence[np.ndarray], captions: Sequence[str], title: Sequence[str]) -> np.ndarray:
    """Return a sheet of images above their captions, (height, width, 3) uint8 RGB; see `draw_pairs`."""
    return add_title(tile(images, captions=list(captions), gap=8, min_cell_px=CELL_PX), list(title))
