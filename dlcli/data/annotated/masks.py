"""Masks as polygons, as run lengths and as pixels; by hotcoco, which does as pycocotools does. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from dlcli.data.annotated.annotation import Box, Segmentation

_FARTHEST = 1e6
"""Pixels from the corner of an image at which a polygon's corner may lie; no image is that long."""

_MOST_BITS = 30
"""Bits below the last 5 of a run length: none of an image of 100 megapixels has more."""


def to_rle(segmentation: Segmentation, height: int, width: int) -> dict[str, Any]:
    """Return a segmentation as one compressed run-length encoding, {"size": [height, width], "counts": bytes}.

    Raises:
        ValueError: it is damaged, or its size is another.
    """
    if isinstance(segmentation, dict):
        return _checked_runs(segmentation, height, width)
    from hotcoco import mask

    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError("a mask without polygons")
    return mask.merge([mask.fr_poly(_checked_polygon(polygon), height, width) for polygon in segmentation])


def _checked_polygon(polygon: Any) -> list[float]:
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        raise ValueError("a polygon without three corners")
    if not all(isinstance(value, (int, float)) and abs(value) <= _FARTHEST for value in polygon):  # nor is nan
        raise ValueError("a polygon with a corner that is no position")
    return [float(value) for value in polygon]


def _checked_runs(segmentation: dict[str, Any], height: int, width: int) -> dict[str, Any]:
    """Return run lengths, as a list or compressed, as compressed ones that cover the image exactly."""
    from hotcoco import mask

    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, (list, tuple)) or list(size) != [height, width]:
        raise ValueError(f"a mask of {str(size)[:40]}, not [{height}, {width}]")
    if isinstance(counts, list):
        if not all(type(run) is int and run >= 0 for run in counts) or sum(counts) != height * width:
            raise ValueError("run lengths that do not add up to the image")
        rle: dict[str, Any] = mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
        return rle
    if not isinstance(counts, (str, bytes)):
        raise ValueError("a mask without run lengths")
    encoded = counts.encode("utf-8", "surrogatepass") if isinstance(counts, str) else counts
    if _covered(encoded) != height * width:
        raise ValueError("run lengths that do not add up to the image")
    return {"size": [height, width], "counts": encoded}


def _covered(encoded: bytes) -> int:
    """Return how many pixels compressed run lengths cover; -1 if they are damaged.

    A character holds 5 bits of a number from 48 on, the lowest first; bit 5 says that more follow, and the last one's
    bit 4 is the sign. From the fourth number on they are differences to the number before the last one
    (pycocotools' maskApi.c, rleFrString).
    """
    units = np.frombuffer(encoded, np.uint8).astype(np.int64) - 48
    if not len(units) or units.min() < 0 or units.max() > 63 or units[-1] & 32:
        return -1
    ends = np.flatnonzero(units & 32 == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    places = 5 * (np.arange(len(units)) - np.repeat(starts, ends - starts + 1))
    if places.max() > _MOST_BITS:
        return -1
    values = np.add.reduceat((units & 31) << places, starts)
    values -= np.where(units[ends] & 16, np.int64(1) << (places[ends] + 5), 0)
    odd, even = values[1::2].cumsum(), np.concatenate([values[:1], values[2::2].cumsum()])
    return int(odd.sum() + even.sum()) if min(odd.min(initial=0), even.min()) >= 0 else -1


def to_pixels(segmentation: Segmentation, height: int, width: int) -> np.ndarray:
    """Return a segmentation as pixels, (height, width) uint8 of 0 and 1.

    Raises:
        ValueError: it is damaged, or its size is another.
    """
    from hotcoco import mask

    return np.ascontiguousarray(mask.decode(to_rle(segmentation, height, width)))


def from_pixels(pixels: np.ndarray) -> dict[str, Any]:
    """Return a mask of (height, width) as a compressed run-length encoding of JSON values."""
    from hotcoco import mask

    rle = mask.encode(np.asfortranarray(pixels, dtype=np.uint8))
    return {"size": list(pixels.shape), "counts": rle["counts"].decode()}


def polygons_of(pixels: np.ndarray) -> list[list[float]]:
    """Return the outlines of a mask of (height, width) as polygons, without its holes.

    A pixel is a square, not a point. Corners lie a quarter of a pixel within its edge, from where filling the polygons
    gives the mask back exactly.
    """
    doubled = cv2.resize(pixels.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    polygons = [((outline[:, 0] + 0.5) / 2).ravel().tolist() for outline in outlines]
    return [polygon for polygon in polygons if len(polygon) >= 6]


def hull_of(segmentations: Sequence[Segmentation], height: int, width: int) -> Box:
    """Return the upright hull of masks, in pixels.

    Raises:
        ValueError: a mask is damaged, or none has a pixel.
    """
    rows, columns = np.zeros(height, bool), np.zeros(width, bool)
    for segmentation in segmentations:
        pixels = to_pixels(segmentation, height, width)
        rows |= pixels.any(axis=1)
        columns |= pixels.any(axis=0)
    if not rows.any():
        raise ValueError("a mask without a pixel")
    (top, bottom), (left, right) = (
        (int(np.argmax(line)), len(line) - int(np.argmax(line[::-1]))) for line in (rows, columns)
    )
    return float(left), float(top), float(right), float(bottom)
