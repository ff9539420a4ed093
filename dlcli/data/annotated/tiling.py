"""Large images in tiles, so that small objects are not scaled away, and the answers to tiles as one. Torch-free.

Tiles of one size overlap, so that an object smaller than the overlap is whole in one of them. The image as a whole is
one more tile, for objects larger than that. Source of the idea: Akyon et al. 2022, "Slicing Aided Hyper Inference and
Fine-tuning for Small Object Detection", section 3, where the cut boxes are merged by overlap alone.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.annotated.answers import BOX_DECIMALS, ImageDetections
from dlcli.data.annotated.fitting import Fit, Size
from dlcli.data.annotated.masks import from_pixels, to_pixels
from dlcli.data.annotated.preprocess import CanvasPreprocess

MAX_BYTES = 2**30
"""Of all tiles of one image together."""

EDGE = 0.01
"""Share of a tile's side: a box that comes as close to an edge inside the image is cut there."""

CONTAINED = 0.7
"""Share of a cut box that lies within a whole box of its class, from which on both are one object."""

Window = tuple[int, int, int, int]
"""Left, top, right, bottom of a tile in pixels of its image."""


@dataclasses.dataclass(frozen=True)
class Tiled:
    """An image in tiles, the first of which is the whole image.

    Attributes:
        images: (T, 3, H, W) uint8, the canvases.
        windows: where the tiles are.
        fits: how each lies in its canvas.
    """

    images: np.ndarray
    windows: tuple[Window, ...]
    fits: tuple[Fit, ...]


def windows_of(size: Size, side: int, overlap: float) -> list[Window]:
    """Return the tiles of an image, evenly spaced, all of one size; one if the image is not larger than a tile.

    Args:
        size: height and width of the image.
        side: of a tile, in pixels of the image.
        overlap: of neighbours, at least this share of the side.
    """
    tops, lefts = (_starts(length, side, overlap) for length in size)
    height, width = (min(length, side) for length in size)
    return [(left, top, left + width, top + height) for top, left in itertools.product(tops, lefts)]


def _starts(length: int, side: int, overlap: float) -> list[int]:
    if length <= side:
        return [0]
    count = math.ceil((length - side) / max(1, side * (1 - overlap))) + 1
    return [round(start) for start in np.linspace(0, length - side, count).tolist()]


def cut_tiles(image: np.ndarray, preprocess: CanvasPreprocess, side: int, overlap: float) -> Tiled | None:
    """Return the tiles of an image, (H, W, 3) uint8, in front of them the whole image; None if one tile is all of it.

    Raises:
        DataError: the tiles take too much memory.
    """
    height, width = image.shape[:2]
    windows = windows_of((height, width), side, overlap)
    if len(windows) == 1:
        return None
    left, top, right, bottom = windows[0]
    canvas = preprocess.fit_of((bottom - top, right - left)).canvas
    num_tiles = len(windows) + 1
    if num_tiles * math.prod(canvas) * 3 > MAX_BYTES:
        raise DataError(f"{width} x {height} pixels are {num_tiles:,} tiles, too many: use a larger --tile")
    alike = dataclasses.replace(preprocess, canvas=canvas)
    windows = [(0, 0, width, height), *windows]
    images = np.empty((num_tiles, 3, *canvas), np.uint8)
    fits = []
    for place, (left, top, right, bottom) in zip(images, windows, strict=True):
        pixels, fit = alike.fit(image[top:bottom, left:right])
        place[:] = pixels.transpose(2, 0, 1)
        fits.append(fit)
    return Tiled(images, tuple(windows), tuple(fits))


def merge_tiles(parts: Sequence[ImageDetections], windows: Sequence[Window], iou: float) -> ImageDetections:
    """Return the detections in an image from those in its tiles, by falling score.

    A box that is cut by an edge within the image is dropped where another tile has the object whole. Of two boxes of
    one class and two tiles that overlap by more than `iou`, the one with the lower score is dropped.

    Args:
        parts: what is found in each tile, in its own pixels; the first tile is the whole image.
        windows: where the tiles are.
        iou: in (0, 1].
    """
    size = (windows[0][3], windows[0][2])
    shifts = [np.tile(np.array(window[:2], np.float64), 2) for window in windows]
    boxes = np.concatenate([part.boxes + shift for part, shift in zip(parts, shifts, strict=True)]).round(BOX_DECIMALS)
    scores = np.concatenate([part.scores for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    tiles = np.repeat(np.arange(len(parts)), [len(part.scores) for part in parts])
    is_cut = np.concatenate([_are_cut(part.boxes, window, size) for part, window in zip(parts, windows, strict=True)])
    keep = np.ones(len(scores), bool)
    for index in np.flatnonzero(is_cut):
        others = (labels == labels[index]) & ~is_cut & (tiles != tiles[index])
        keep[index] = not (_intersections(boxes[index], boxes[others]) >= CONTAINED * _areas(boxes[index])).any()
    order = [index for index in np.argsort(-scores, kind="stable") if keep[index]]
    chosen = _without_duplicates(boxes, labels, tiles, order, iou)
    masks = None
    if any(part.masks is not None for part in parts):
        found = [(mask, window) for part, window in zip(parts, windows, strict=True) for mask in part.masks or ()]
        masks = tuple(_placed(mask, window, size) for mask, window in (found[index] for index in chosen))
    return ImageDetections(boxes[chosen], scores[chosen], labels[chosen], masks)


def _without_duplicates(
    boxes: np.ndarray, labels: np.ndarray, tiles: np.ndarray, order: Sequence[int], iou: float
) -> np.ndarray:
    """Return the indices that non-maximum suppression across tiles keeps, in order; within a tile it was done."""
    areas = _areas(boxes)
    kept: list[int] = []
    for index in order:
        better = np.array(kept, np.int64)
        better = better[(labels[better] == labels[index]) & (tiles[better] != tiles[index])]
        shared = _intersections(boxes[index], boxes[better])
        if not (shared > iou * (areas[index] + areas[better] - shared)).any():
            kept.append(index)
    return np.array(kept, np.int64)


def _are_cut(boxes: np.ndarray, window: Window, size: Size) -> np.ndarray:
    """Return which boxes of a tile, (N, 4) in its own pixels, reach one of its edges that is not the image's, (N,)."""
    left, top, right, bottom = window
    width, height = right - left, bottom - top
    margins = EDGE * np.array([width, height, width, height])
    gaps = np.column_stack([boxes[:, :2], [width, height] - boxes[:, 2:]])
    is_inner = np.array([left > 0, top > 0, right < size[1], bottom < size[0]])
    return np.asarray(((gaps <= margins) & is_inner).any(axis=1))


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]))


def _intersections(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return the area that a box shares with each of others, (N,)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    return np.asarray(sides.clip(0).prod(axis=1))


def _placed(mask: dict[str, Any], window: Window, size: Size) -> dict[str, Any]:
    """Return the mask of a tile as one of the image."""
    left, top, right, bottom = window
    pixels = np.zeros(size, np.uint8)
    pixels[top:bottom, left:right] = to_pixels(mask, bottom - top, right - left)
    return from_pixels(pixels)
