"""Masks from files: checked before a library sees them, cut at the image's edge, turned, and made of instance maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcli.data.annotated.annotation import VOID, Box, Segmentation
from dlcli.data.annotated.masks import from_pixels, to_pixels, to_rle
from dlcli.data.annotated.probing import turned

_OVERHANG_PX = 1.0  # rounding that is cut without a word
_FARTHEST_PX = 1e6  # also false for NaN
_DIGITS = 3


def checked_mask(segmentation: Any, height: int, width: int) -> Segmentation:
    """Return a segmentation of a file, of which every number is sound.

    Args:
        segmentation: anything.
        height, width: of the image that it is for.

    Raises:
        ValueError: it is damaged.
    """
    if isinstance(segmentation, dict):
        size, counts = segmentation.get("size"), segmentation.get("counts")
        if size != [height, width] or any(type(side) is not int for side in size):
            raise ValueError("of another size than its image")
        if isinstance(counts, bytes):
            counts = counts.decode("ascii")
        runs = _runs_of(counts) if isinstance(counts, str) else counts
        if not isinstance(runs, list) or any(type(run) is not int or run < 0 for run in runs):
            raise ValueError("its run lengths are no counts")
        if sum(runs) != height * width:
            raise ValueError("its run lengths do not add up to the image")
        return {"size": [height, width], "counts": counts}
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError("neither polygons nor run lengths")
    return [_checked_polygon(polygon) for polygon in segmentation]


def _checked_polygon(polygon: Any) -> list[float]:
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        raise ValueError("a polygon without three corners")
    values = np.array(polygon)  # ValueError for lists of unequal lengths; objects and texts are no kind of number
    if values.ndim != 1 or values.dtype.kind not in "if" or not (np.abs(values) < _FARTHEST_PX).all():
        raise ValueError("a polygon with a corner that is no number")
    rounded: list[float] = np.round(values.astype(np.float64), _DIGITS).tolist()
    return rounded


def _runs_of(text: str) -> list[int]:
    """Return the run lengths in COCO's compressed form: 5 bits a character from 48, differences from the third on.

    Source: rleFrString in cocoapi/common/maskApi.c.

    Raises:
        ValueError: a character is none of the form, or the text ends within a number.
    """
    runs: list[int] = []
    value = shift = 0
    for char in text:
        bits = ord(char) - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError("its run lengths are no counts")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("its run lengths are cut off")
    return runs


def cut_polygons(segmentation: Segmentation, height: int, width: int) -> tuple[Segmentation, bool]:
    """Return the part of a sound segmentation within its image, and whether more than a rounding was cut off.

    Raises:
        ValueError: nothing of it lies within.
    """
    if isinstance(segmentation, dict):
        return segmentation, False
    limit = np.array([width, height], np.float64)
    polygons, is_cut = [], False
    for polygon in segmentation:
        across, down = polygon[::2], polygon[1::2]
        if min(polygon) >= 0 and max(across) <= width and max(down) <= height:
            polygons.append(polygon)
            continue
        points = np.array(polygon, np.float64).reshape(-1, 2)
        is_cut = is_cut or bool((np.abs(points - points.clip(0, limit)) > _OVERHANG_PX).any())
        inside = _clipped(points, height, width).round(_DIGITS)
        if len(inside) >= 3:
            polygons.append(inside.ravel().tolist())
    if not polygons:
        raise ValueError("a mask outside its image")
    return polygons, is_cut


def _clipped(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the part of a polygon, (N, 2), within an image; where it is in pieces, lines along the edge join them.

    Source: Sutherland and Hodgman, "Reentrant polygon clipping", 1974.
    """
    for axis, sign, least in ((0, 1, 0), (0, -1, -width), (1, 1, 0), (1, -1, -height)):
        depth = sign * points[:, axis] - least  # of each corner within this edge of the image
        after, depth_after = np.roll(points, -1, axis=0), np.roll(depth, -1)
        crosses = depth * depth_after < 0
        share = depth / np.where(crosses, depth - depth_after, 1.0)
        met = points + share[:, None] * (after - points)
        met[:, axis] = sign * least
        points = np.stack([points, met], axis=1)[np.stack([depth >= 0, crosses], axis=1)]
    return points


def turned_mask(segmentation: Segmentation, orientation: int, height: int, width: int) -> Segmentation:
    """Return a sound segmentation of an image as stored for the image as it is seen; see `probing.turned`."""
    if isinstance(segmentation, list):
        return [
            turned(np.array(polygon, np.float64).reshape(-1, 2), orientation, height, width).ravel().tolist()
            for polygon in segmentation
        ]
    pixels = to_pixels(segmentation, height, width)
    if orientation in (6, 7):
        pixels = pixels[::-1]
    if orientation in (7, 8):
        pixels = pixels[:, ::-1]
    return from_pixels(np.ascontiguousarray(pixels.T))


def hull_of_mask(segmentation: Segmentation, height: int, width: int) -> Box:
    """Return the upright hull of a sound segmentation: of its corners, or of its pixels.

    Raises:
        ValueError: it has no pixel.
    """
    if isinstance(segmentation, list):
        sides = [(min(each[::2]), min(each[1::2]), max(each[::2]), max(each[1::2])) for each in segmentation]
        left, top, right, bottom = zip(*sides, strict=True)
        return min(left), min(top), max(right), max(bottom)
    from hotcoco import mask

    x, y, across, down = mask.to_bbox(to_rle(segmentation, height, width)).tolist()
    if across <= 0 or down <= 0:
        raise ValueError("a mask without a pixel")
    return x, y, x + across, y + down


def area_of_mask(segmentation: Segmentation, height: int, width: int) -> float:
    """Return the area of a sound segmentation in square pixels: of its polygons, or its number of pixels."""
    if isinstance(segmentation, list):
        return round(sum(_shoelace(polygon) for polygon in segmentation), _DIGITS)
    from hotcoco import mask

    return float(mask.area(to_rle(segmentation, height, width)))


def _shoelace(polygon: Sequence[float]) -> float:
    x, y = np.array(polygon, np.float64).reshape(-1, 2).T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


@dataclass(frozen=True)
class Instance:
    """One instance of an instance map.

    Attributes:
        number: its value, from 1.
        mask: its pixels.
        value: the most frequent value of the label map in them; 0 if there is no label map.
    """

    number: int
    mask: Segmentation
    value: int


def instances_of(numbers: np.ndarray, values: np.ndarray | None) -> tuple[Instance, ...]:
    """Return the instances of a map.

    Args:
        numbers: (H, W) uint8, 0 for none and `VOID` for neither.
        values: (H, W) uint8, the label map of the same image; None if there is none.
    """
    present = np.flatnonzero(np.bincount(numbers.ravel(), minlength=256))
    found = []
    for number in present.tolist():
        if number in (0, VOID):
            continue
        pixels = numbers == number
        value = int(np.bincount(values[pixels], minlength=256)[:VOID].argmax()) if values is not None else 0
        found.append(Instance(number, from_pixels(pixels), value))
    return tuple(found)
