"""Masks as polygons, as run lengths and as pixels; by hotcoco, which does as pycocotools does. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from dlcli.data.annotated.annotation import Box, Segmentation


def to_rle(segmentation: Segmentation, height: int, width: int) -> dict[str, Any]:
    """Return a segmentation as one compressed run-length encoding, {"size": [height, width], "counts": bytes}.

    Raises:
        ValueError: it is damaged, or its size is another.
    """
    from hotcoco import mask

    if isinstance(segmentation, dict):
        if list(segmentation.get("size", ())) != [height, width]:
            raise ValueError(f"a mask of {segmentation.get('size')}, not [{height}, {width}]")
        counts = segmentation.get("counts")
        if isinstance(counts, list):
            if sum(counts) != height * width or any(not isinstance(run, int) or run < 0 for run in counts):
                raise ValueError("run lengths that do not add up to the image")
            rle: dict[str, Any] = mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
            return rle
        return {"size": [height, width], "counts": counts.encode() if isinstance(counts, str) else counts}
    polygons = [polygon for polygon in segmentation if len(polygon) >= 6 and len(polygon) % 2 == 0]
    if len(polygons) < len(segmentation) or not polygons:
        raise ValueError("a polygon without three corners")
    return mask.merge([mask.fr_poly(polygon, height, width) for polygon in polygons])


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

    Corners are at the outer edges of pixels: a pixel is a square, not a point.
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
