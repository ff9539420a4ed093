"""Where a detector predicts from: anchors and points, which of them learn which object, and heat maps. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dlcli.visualize.boxes import class_colour, line_width, rescaled
from dlcli.visualize.cam import overlay
from dlcli.visualize.canvas import MAX_PICTURE_PX, add_title, tile

CELL_PX = 640
GAP_PX = 6
LEAST_CELL_PX = 10
"""The lines of a grid of smaller cells would hide the image."""


def levels_of(cells: np.ndarray) -> list[np.ndarray]:
    """Return the indices of the places of each map, from the finest; (A, 2) cells of one map have one size."""
    sizes, level = np.unique(cells.round(3), axis=0, return_inverse=True)
    return [np.flatnonzero(level.reshape(-1) == number) for number in range(len(sizes))]


def draw_anchors(
    image: np.ndarray, boxes: np.ndarray, cells: np.ndarray, *, are_points: bool, title: str
) -> np.ndarray:
    """Return a panel for each map: its grid, with the anchors of the cell in the middle, or all of its points.

    Args:
        image: (H, W, 3) uint8 canvas.
        boxes: (A, 4) xyxy in pixels.
        cells: (A, 2) width and height of the cell of each.
        are_points: whether there are points in place of anchors.
        title: a line above.
    """
    scale = _scale(image, len(levels_of(cells)))
    panels, captions = [], []
    for members in levels_of(cells):
        picture = rescaled(image, scale) // 2 + 96
        wide, high = cells[members[0]].tolist()
        _grid(picture, wide * scale, high * scale)
        centres = (boxes[members, :2] + boxes[members, 2:]) / 2
        if are_points:
            for x, y in (centres * scale).tolist():
                cv2.circle(picture, (round(x), round(y)), 2, class_colour(0), -1, cv2.LINE_AA)
            total = f"{len(members):,} points"
        else:
            middle = np.array(image.shape[1::-1]) / 2
            nearest = centres[np.abs(centres - middle).sum(axis=1).argmin()]
            own = members[np.abs(centres - nearest).max(axis=1) < 0.01]
            for number, box in enumerate((boxes[own] * scale).round().astype(int).tolist()):
                cv2.rectangle(picture, (box[0], box[1]), (box[2], box[3]), class_colour(number), 2)
            total = f"{len(own)} anchors a cell, {len(members):,} in all"
        panels.append(picture)
        captions.append(f"cells of {wide:.0f} x {high:.0f} px: {total}")
    return add_title(tile(panels, captions=captions, gap=GAP_PX, scale=1), [title])


def draw_matches(
    image: np.ndarray,
    targets: np.ndarray,
    boxes: np.ndarray,
    cells: np.ndarray,
    objects: np.ndarray,
    *,
    are_points: bool,
) -> np.ndarray:
    """Return an image with its objects' boxes, and in an object's colour the places that learn it, (H, W, 3) uint8 RGB.

    A point is a disc, larger on coarser maps; an anchor is a thin box.

    Args:
        image: (H, W, 3) uint8 canvas.
        targets: (K, 4) xyxy of the objects.
        boxes: (A, 4) xyxy, cells: (A, 2), objects: (A,) index of the object that each learns, negative for none.
        are_points: whether there are points in place of anchors.
    """
    scale = CELL_PX / max(image.shape[:2])
    picture = rescaled(image, scale) // 2 + 64
    thickness = line_width(picture.shape[0], picture.shape[1], 0)
    finest = float(cells.min())
    for place in np.flatnonzero(objects >= 0).tolist():
        colour = class_colour(int(objects[place]))
        left, top, right, bottom = (boxes[place] * scale).round().astype(int).tolist()
        if are_points:
            radius = round(3 + 1.5 * np.log2(cells[place].min() / finest))
            centre = ((left + right) // 2, (top + bottom) // 2)
            cv2.circle(picture, centre, radius + 1, (0, 0, 0), -1, cv2.LINE_AA)
            cv2.circle(picture, centre, radius, colour, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(picture, (left, top), (right, bottom), colour, 1)
    for number, box in enumerate((targets * scale).round().astype(int).tolist()):
        cv2.rectangle(picture, (box[0], box[1]), (box[2], box[3]), class_colour(number), thickness + 1)
    return picture


def note_of(objects: np.ndarray, num_objects: int, places: str) -> str:
    """Return how many places learn the objects of an image ("3 objects, 5 to 10 points each")."""
    counts = np.bincount(objects[objects >= 0], minlength=num_objects)
    if not num_objects:
        return "no objects"
    low, high = int(counts.min()), int(counts.max())
    span = f"{low}" if low == high else f"{low} to {high}"
    return f"{num_objects} object{'s' if num_objects > 1 else ''}, {span} {places} each"


def draw_pyramid(image: np.ndarray, maps: Sequence[tuple[str, np.ndarray]], *, title: str) -> np.ndarray:
    """Return the mean activation of each map as heat on the grey image, (H, W, 3) uint8 RGB.

    Args:
        image: (H, W, 3) uint8 canvas.
        maps: the name of each, and its (C, h, w) float values over the whole canvas.
        title: a line above.
    """
    scale = _scale(image, len(maps))
    picture = rescaled(image, scale)
    panels, captions = [], []
    for name, values in maps:
        mean = np.nan_to_num(values.astype(np.float64)).mean(axis=0)
        span = float(mean.max() - mean.min())
        heat = (mean - mean.min()) / span if span > 0 else np.zeros_like(mean)
        size = (picture.shape[1], picture.shape[0])
        panels.append(overlay(picture, cv2.resize(heat, size, interpolation=cv2.INTER_NEAREST)))
        captions.append(f"{name}: {values.shape[0]} channels of {values.shape[1]} x {values.shape[2]}")
    note = "mean over channels, each map scaled to its own range"
    return add_title(tile(panels, captions=captions, gap=GAP_PX, scale=1, columns=min(3, len(panels))), [title, note])


def _scale(image: np.ndarray, panels: int) -> float:
    columns = min(3, max(1, int(np.ceil(np.sqrt(panels)))))
    side = min(CELL_PX, MAX_PICTURE_PX // columns - GAP_PX)
    return side / int(max(image.shape[:2]))


def _grid(picture: np.ndarray, wide: float, high: float) -> None:
    if min(wide, high) < LEAST_CELL_PX:
        return
    for x in np.arange(wide, picture.shape[1] - 1, wide).round().astype(int).tolist():
        picture[:, x] = 255
    for y in np.arange(high, picture.shape[0] - 1, high).round().astype(int).tolist():
        picture[y] = 255
