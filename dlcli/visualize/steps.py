"""A run's samples over the epochs: side by side as a strip, and one after the other as an animation. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import cv2
import numpy as np

from dlcli.core.errors import RunError
from dlcli.core.run_dir import RunDir
from dlcli.data.images.decoding import read_image
from dlcli.visualize.canvas import annotate, equal_cells, tile
from dlcli.visualize.subject import Animation

MAX_FRAMES = 100
"""Of an animation: a GIF of as many frames of 800 pixels has about 30 MB."""

MAX_FRAME_PX = 800

Item = TypeVar("Item")


def read_samples(run: RunDir, count: int) -> list[tuple[int, np.ndarray]]:
    """Return at most `count` of a run's sample pictures, evenly spaced from the first to the last.

    Returns:
        The epoch of each and its picture, (H, W, 3) uint8 RGB.

    Raises:
        RunError: the run has none.
        DataError: one of them cannot be read.
    """
    found = run.samples("png")
    if not found:
        raise RunError(f"{run.path}: no pictures in samples/", hint="tasks on images draw some while they train")
    return [(epoch, read_image(path, channels=3)) for epoch, path in evenly(found, count)]


def evenly(items: Sequence[Item], count: int) -> Sequence[Item]:
    """Return at most `count` of the items, with the last one, and with the first if there are two."""
    if count == 1:
        return items[-1:]
    places = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[place] for place in places]


def draw_strip(samples: Sequence[tuple[int, np.ndarray]]) -> np.ndarray:
    """Return pictures in the order of their epochs, each with its epoch below it, (H, W, 3) uint8 RGB.

    They lie side by side, or one above the other where they are wider than high.
    """
    pictures = [picture for _, picture in samples]
    is_wide = sum(picture.shape[1] for picture in pictures) > sum(picture.shape[0] for picture in pictures)
    return tile(pictures, columns=1 if is_wide else len(pictures), captions=_captions(samples), gap=6)


def animate(samples: Sequence[tuple[int, np.ndarray]], seconds: float) -> Animation:
    """Return the pictures one after the other, each with its epoch below it.

    Args:
        samples: epochs and pictures; of unequal sizes, they are fitted into one.
        seconds: how long each is shown.
    """
    cells = equal_cells([_shrunk(picture) for _, picture in samples])
    frames = [annotate(cell, [caption]) for cell, caption in zip(cells, _captions(samples), strict=True)]
    return Animation(frames, seconds)


def _captions(samples: Sequence[tuple[int, np.ndarray]]) -> list[str]:
    return [f"epoch {epoch}" for epoch, _ in samples]


def _shrunk(picture: np.ndarray) -> np.ndarray:
    factor = MAX_FRAME_PX / max(picture.shape[:2])
    if factor >= 1:
        return picture
    height, width = (max(1, round(side * factor)) for side in picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
