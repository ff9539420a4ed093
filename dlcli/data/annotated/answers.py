"""A detector's answers in the pixels of the image: the one place where `eval` and `predict` get them from. Torch-free.

Boxes have two decimals and scores five, as `predict` prints them, so the AP of its JSON is the AP that `eval` reports.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np

from dlcli.data.annotated.fitting import Fit
from dlcli.data.annotated.masks import from_pixels

BOX_DECIMALS = 2
SCORE_DECIMALS = 5


class ImageDetections(NamedTuple):
    """What is found in one image, in the model's order (by falling score).

    Attributes:
        boxes: (K, 4) float64 xyxy in pixels of the image, none of them empty.
        scores: (K,) float64.
        labels: (K,) int64 class indices from 0.
        masks: K run-length encodings of the image's size (`masks.to_pixels` decodes them); None for boxes alone.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    masks: tuple[dict[str, Any], ...] | None = None


def detections_in_image(outputs: Mapping[str, np.ndarray], row: int, fit: Fit) -> ImageDetections:
    """Return one image's detections in its own pixels, rounded and cut at its edges.

    A detection that lies outside the image, or that is not finite, is left out.

    Args:
        outputs: a model's dense outputs: `boxes` (N, K, 4) xyxy in pixels of the canvas, `scores` and `labels` (N, K),
            `counts` (N,), and perhaps `masks` (N, K, M, M) in [0, 1], each within its box.
        row: of the image in the outputs.
        fit: how the image lies in the canvas.
    """
    count = int(outputs["counts"][row])
    on_canvas = np.asarray(outputs["boxes"][row][:count], np.float64).reshape(-1, 4)
    scores = np.asarray(outputs["scores"][row][:count], np.float64).round(SCORE_DECIMALS)
    boxes = fit.to_image(on_canvas).round(BOX_DECIMALS)
    is_sound = np.isfinite(on_canvas).all(axis=1) & np.isfinite(scores)
    keep = np.flatnonzero(is_sound & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))
    masks = None
    if "masks" in outputs:
        # Masks belong to the whole boxes: those that are cut at the image's edge would squeeze them.
        whole = on_canvas / fit.scale
        masks = tuple(from_pixels(paste_mask(outputs["masks"][row][i], whole[i], fit.size)) for i in keep)
    labels = np.asarray(outputs["labels"][row][:count], np.int64)
    return ImageDetections(boxes[keep], scores[keep], labels[keep], masks)


def least_scores(thresholds: np.ndarray) -> np.ndarray:
    """Return a network's float32 thresholds, rounded as scores are: 0.8 would be below its own float32 value."""
    rounded: np.ndarray = np.asarray(thresholds, np.float64).round(SCORE_DECIMALS)
    return rounded


def paste_mask(mask: np.ndarray, box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a mask of an image's size, (height, width) uint8 of 0 and 1, by bilinear interpolation.

    Pixels whose centres are in the box get 1 where the mask is at least 0.5 there.

    Args:
        mask: (M, M) in [0, 1], spread over the box.
        box: (4,) xyxy in pixels of the image; it may reach beyond the image.
        size: height and width of the image.
    """
    pixels = np.zeros(size, np.uint8)
    columns, rows = _centres_within(box[0], box[2], size[1]), _centres_within(box[1], box[3], size[0])
    if not (columns and rows):
        return pixels
    across, down = (length / side for length, side in zip(mask.shape[::-1], (box[2:] - box[:2]).tolist(), strict=True))
    to_mask = np.array(
        [
            [across, 0, (columns.start + 0.5 - box[0]) * across - 0.5],
            [0, down, (rows.start + 0.5 - box[1]) * down - 0.5],
        ]
    )
    values = cv2.warpAffine(
        np.asarray(mask, np.float32),
        to_mask,
        (len(columns), len(rows)),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    pixels[rows.start : rows.stop, columns.start : columns.stop] = values >= 0.5
    return pixels


def _centres_within(start: float, stop: float, length: int) -> range:
    """Return the pixels whose centres lie between two positions, within an image of this length."""
    return range(max(0, math.ceil(start - 0.5)), min(length, math.ceil(stop - 0.5)))
