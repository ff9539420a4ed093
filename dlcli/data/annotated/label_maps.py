"""Label maps: read or drawn, augmented with their image, and answers brought back to the image. Torch-free.

An answer is a map on a canvas; what `eval` measures and `predict` returns is that map at the image's own size, by
nearest neighbours. An exported network gives the same map, so both agree by construction, and a map takes a byte for
each pixel in place of a number for each class.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dlcli.data.annotated.annotation import VOID, AnnotatedImage
from dlcli.data.annotated.augmenting import Recipe, draw_warp
from dlcli.data.annotated.fitting import Fit, Size
from dlcli.data.annotated.masks import to_pixels
from dlcli.data.images.operations.moving import apply

MAX_CLASSES = 254
"""A label map's byte also holds the background and `VOID`."""


def draw_label_map_of(record: AnnotatedImage) -> np.ndarray:
    """Return the label map of an image's objects, (H, W) uint8: 0 for the background, k + 1 for class k, or `VOID`.

    Large objects are drawn first, so that small ones stay visible. Crowds, and the boxes of objects without a mask, are
    void.
    """
    label_map = np.zeros((record.height, record.width), np.uint8)
    for each in sorted(record.objects, key=lambda each: (-each.is_crowd, -each.area)):
        if each.segmentation is None:
            left, top, right, bottom = (round(side) for side in each.box)
            label_map[top:bottom, left:right] = VOID
            continue
        mask = to_pixels(each.segmentation, record.height, record.width).astype(bool)
        label_map[mask] = VOID if each.is_crowd else each.label + 1
    return label_map


def renumbered(label_map: np.ndarray, to_run: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return a label map in a run's classes.

    Args:
        label_map: (H, W) uint8 in the classes of the data; a value that is no class becomes `VOID`.
        to_run: (C,) the run's index of each class of the data.
    """
    table = np.full(256, VOID, np.uint8)
    table[0] = 0
    table[1 : len(to_run) + 1] = np.asarray(to_run) + 1
    return table[label_map]


def label_map_in_image(label_map: np.ndarray, fit: Fit) -> np.ndarray:
    """Return the answer on a canvas, (H, W) uint8, at the size of the image."""
    inner = np.ascontiguousarray(label_map[: fit.inner[0], : fit.inner[1]])
    if fit.inner == fit.size:
        return inner
    return cv2.resize(inner, fit.size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def augment_label_map(
    image: np.ndarray, label_map: np.ndarray, canvas: Size, recipe: Recipe, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return an image and its label map on a canvas, moved by one warp; what the image does not cover is void.

    Args:
        image: (H, W, 3) uint8.
        label_map: (H', W') uint8, of the same view at any size.
        canvas: height and width of the results.
        recipe: the operations.
        seed: of which everything random is a function.
    """
    size = image.shape[0], image.shape[1]
    random = np.random.default_rng(seed)
    whole = np.array([[0.0, 0.0, size[1], size[0]]])
    numbers, matrix = draw_warp(size, whole, canvas, recipe, random)
    values = cv2.resize(label_map, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    # A mask is 0 where nothing is: moved up by one, void is 0, and so is what lies outside the image.
    moved = apply(image, numbers, whole, (values + np.uint8(1))[None], frame=canvas, least_area=0.0, matrix=matrix)
    result = (moved.masks[0] if len(moved.masks) else np.zeros(canvas, np.uint8)) - np.uint8(1)
    if recipe.mirrored and np.linalg.det(matrix[:2, :2]) < 0:
        result = renumbered(result, recipe.mirrored)
    return moved.image, result
