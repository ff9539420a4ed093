"""Translucent masks with outlines on images, and label maps. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dlcli.visualize.boxes import class_colour, line_width, rescaled

OPACITY = 0.45
VOID = 255
"""The value of a label map's pixels without a label."""


def draw_masks(
    image: np.ndarray, masks: Sequence[np.ndarray] | np.ndarray, labels: Sequence[int], *, scale: float = 1.0
) -> np.ndarray:
    """Return an image under translucent masks in the colours of their classes, with outlines, (H, W, 3) uint8 RGB.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3) uint8 RGB.
        masks: N of (H, W), not 0 where the object is; small ones are drawn over large ones.
        labels: the class index of each.
        scale: size of the picture by that of the image.
    """
    picture = rescaled(image, scale)
    height, width = picture.shape[:2]
    thickness = line_width(height, width, len(masks))
    for index in sorted(range(len(masks)), key=lambda index: -int(np.count_nonzero(masks[index]))):
        mask = _mask_at(masks[index], height, width)
        colour = class_colour(int(labels[index]))
        picture[mask > 0] = _tinted(picture[mask > 0], colour)
        outlines, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(picture, outlines, -1, colour, thickness)
    return picture


def draw_label_map(
    image: np.ndarray, label_map: np.ndarray, *, scale: float = 1.0, opacity: float = OPACITY
) -> np.ndarray:
    """Return an image under its label map, (H, W, 3) uint8 RGB: the background is left, pixels without a label striped.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3) uint8 RGB.
        label_map: (H, W) of 0 for the background, class + 1, and 255 for no label.
        scale: size of the picture by that of the image.
        opacity: of the colours, 0 to 1.
    """
    picture = rescaled(image, scale)
    height, width = picture.shape[:2]
    values = _mask_at(label_map, height, width)
    for value in np.unique(values).tolist():
        if value not in (0, VOID):
            is_class = values == value
            picture[is_class] = _tinted(picture[is_class], class_colour(value - 1), opacity)
    edges = np.zeros((height, width), bool)
    edges[:, 1:] |= values[:, 1:] != values[:, :-1]
    edges[1:] |= values[1:] != values[:-1]
    picture[edges & (values != VOID)] = 255
    stripes = (np.arange(height)[:, None] + np.arange(width)) // 3 % 2 > 0
    picture[(values == VOID) & stripes] = 255
    return picture


def _mask_at(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    plain = np.ascontiguousarray(mask, dtype=np.uint8)
    if plain.shape == (height, width):
        return plain
    return cv2.resize(plain, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def _tinted(pixels: np.ndarray, colour: Sequence[int], opacity: float = OPACITY) -> np.ndarray:
    return (pixels * (1 - opacity) + np.array(colour) * opacity + 0.5).astype(np.uint8)
