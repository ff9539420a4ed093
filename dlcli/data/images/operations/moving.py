"""Operations on images with their boxes and masks, by OpenCV: on the CPU, and for photos in worker processes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np

from dlcli.data.images.operations.boxes import move_boxes
from dlcli.data.images.operations.colour import FILL
from dlcli.data.images.operations.geometry import MIDDLE, Size, exact_moves, fits, windows
from dlcli.data.images.operations.numbers import Numbers
from dlcli.data.images.operations.retouching import retouch

LEAST_AREA = 0.25
"""Share of a moved box that must lie within the frame for the box to stay: less shows too little of an object."""

_FROM_OPENCV = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
_TO_OPENCV = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
"""OpenCV's centres of pixels lie at whole numbers, those of `geometry` at halves."""

_MARGIN = 2
"""Pixels around the part of an image that a warp reads."""

_ROTATIONS = (None, cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)


class Moved(NamedTuple):
    """An augmented image and what it shows.

    Attributes:
        image: (H, W, C) uint8.
        boxes: (K, 4) float32 left, top, right, bottom in pixels.
        masks: (K, H, W), of the type they had.
        kept: (K,) int64, which of the boxes and masks these are.
    """

    image: np.ndarray
    boxes: np.ndarray
    masks: np.ndarray
    kept: np.ndarray


def apply(
    image: np.ndarray,
    numbers: Numbers,
    boxes: np.ndarray,
    masks: np.ndarray | None = None,
    *,
    frame: Size | None = None,
    least_area: float = LEAST_AREA,
    matrix: np.ndarray | None = None,
) -> Moved:
    """Return an image, its boxes and its masks, moved together.

    What lies beyond the image's edge is grey: a reflection would show objects without a box.

    Args:
        image: (H, W, C) uint8.
        numbers: of this image alone (`numbers.row_of`).
        boxes: (N, 4) left, top, right, bottom in pixels; their upright hulls are returned, cut at the frame.
        masks: (N, H, W) uint8 or bool, one per box; None for none.
        frame: height and width of the result; None for the image's.
        least_area: share of a box that must stay within the frame; other boxes, and their masks, are left out.
        matrix: (3, 3) from the image to the frame; None for that of the numbers.
    """
    frame = frame or (image.shape[0], image.shape[1])
    matrix = _whole_matrix(image, numbers, frame) if matrix is None else matrix
    moved, kept = move_boxes(boxes, matrix, frame, least_area)
    shapes = np.zeros((0, *image.shape[:2]), np.uint8) if masks is None else masks[kept]
    new_masks = np.zeros((len(shapes), *frame), shapes.dtype)
    for row, shape in enumerate(shapes):
        new_masks[row] = _warp(shape.astype(np.uint8)[..., None], matrix, frame, cv2.BORDER_CONSTANT, fill=None)[..., 0]
    pixels = _warp(image, matrix, frame, cv2.BORDER_CONSTANT, fill=FILL)
    return Moved(retouch(np.array(pixels[None]), numbers)[0], moved, new_masks, kept)


def apply_to_image(image: np.ndarray, numbers: Numbers, frame: Size) -> np.ndarray:
    """Return an image of any size as its numbers say, (H, W, C) uint8 of the frame's size.

    What lies beyond the image's edge is its reflection.

    Args:
        image: (H, W, C) uint8.
        numbers: of this image alone (`numbers.row_of`).
        frame: height and width of the result.
    """
    code = int(exact_moves(numbers["matrix"], frame)[0]) if "matrix" in numbers else 0
    if code < 0:
        moved = _warp(image, _whole_matrix(image, numbers, frame), frame)
    else:
        left, top, width, height = _windows(image, numbers, frame)[0].astype(int)
        moved = _turn(resize(image[top : top + height, left : left + width], frame), code)
    return retouch(np.array(moved[None]), numbers)[0]


def apply_to_images(images: np.ndarray, numbers: Numbers) -> np.ndarray:
    """Return images as their numbers say, (N, H, W, C) uint8; like `apply_to_image`, but all of the frame's size.

    Args:
        images: (N, H, W, C) uint8.
        numbers: of these images, without windows (`numbers.without_windows`).
    """
    result = images.copy()
    if "matrix" in numbers:
        frame = images.shape[1], images.shape[2]
        matrices = _TO_OPENCV @ numbers["matrix"].astype(np.float64) @ _FROM_OPENCV
        for row, code in enumerate(exact_moves(numbers["matrix"], frame).tolist()):
            if code:
                moved = _turn(images[row], code) if code > 0 else _warp_by_opencv(images[row], matrices[row], frame)
                result[row] = moved.reshape(images.shape[1:])
    return retouch(result, numbers)


def _windows(image: np.ndarray, numbers: Numbers, frame: Size) -> np.ndarray:
    """Return the window that the frame shows of an image, (1, 4)."""
    return windows(numbers.get("window", MIDDLE), (image.shape[0], image.shape[1]), frame)


def _whole_matrix(image: np.ndarray, numbers: Numbers, frame: Size) -> np.ndarray:
    """Return the matrix from an image of any size to the frame, (3, 3) float64."""
    matrix = fits(_windows(image, numbers, frame), frame)
    if "matrix" in numbers:
        matrix = numbers["matrix"].astype(np.float64) @ matrix
    whole: np.ndarray = matrix[0]
    return whole


def _turn(image: np.ndarray, code: int) -> np.ndarray:
    """Return the image turned and mirrored without touching a pixel's value, (H, W, C); see `geometry.exact_moves`."""
    turns, mirrored = divmod(code, 2)
    shape = (image.shape[1], image.shape[0]) if turns % 2 else image.shape[:2]
    result = cv2.flip(image, 1) if mirrored else image
    rotation = _ROTATIONS[turns]
    return (cv2.rotate(result, rotation) if rotation is not None else result).reshape(*shape, image.shape[2])


def resize(image: np.ndarray, size: Size) -> np.ndarray:
    """Return the image at another size, halved until it is near, then bilinear: (H, W, C) uint8."""
    if image.shape[:2] == size:
        return image
    near, _ = _halved(image, math.sqrt(image.shape[0] * image.shape[1] / (size[0] * size[1])))
    return cv2.resize(near, size[::-1], interpolation=cv2.INTER_LINEAR).reshape(*size, image.shape[2])


def _halved(image: np.ndarray, shrinkage: float) -> tuple[np.ndarray, float]:
    """Return the image halved as often as brings it nearest to a scale, by averages of 2 x 2 pixels, and its scale.

    A bilinear step alone would skip pixels. To average areas of any size takes OpenCV five times as long.
    """
    scale = 1.0
    while shrinkage * scale > 2**0.5 and min(image.shape[:2]) > 1:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        smaller = cv2.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
        image, scale = smaller.reshape(height, width, image.shape[2]), scale / 2
    return image, scale


def _warp(
    image: np.ndarray, matrix: np.ndarray, frame: Size, border: int = cv2.BORDER_REFLECT, *, fill: int | None = FILL
) -> np.ndarray:
    """Return the image moved by a matrix, (H, W, C) of the frame's size; without a `fill` it is a mask, 0 outside."""
    if image.shape[:2] == frame:
        code = int(exact_moves(matrix[None], frame)[0])
        if code >= 0:
            return _turn(image, code)
    elif fill is not None:
        image, reduction = _reduced(image, matrix, frame)
        matrix = matrix @ np.linalg.inv(reduction)
    shifted = _TO_OPENCV @ matrix @ _FROM_OPENCV
    return _warp_by_opencv(image, shifted, frame, border, fill).reshape(*frame, image.shape[2])


def _warp_by_opencv(
    image: np.ndarray, matrix: np.ndarray, frame: Size, border: int = cv2.BORDER_REFLECT, fill: int | None = FILL
) -> np.ndarray:
    method = cv2.INTER_LINEAR if fill is not None else cv2.INTER_NEAREST
    options: Any = {"flags": method, "borderMode": border, "borderValue": (fill or 0,) * 4}
    if matrix[2, 0] or matrix[2, 1]:
        return cv2.warpPerspective(image, matrix, frame[::-1], **options)
    return cv2.warpAffine(image, matrix[:2], frame[::-1], **options)


def _reduced(image: np.ndarray, matrix: np.ndarray, frame: Size) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of an image that a warp reads, halved to near its scale, and the matrix to that, (3, 3)."""
    inverse = np.linalg.inv(matrix)
    height, width = frame
    corners = inverse @ np.array([[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1.0]])
    x, y = corners[:2] / corners[2]
    shrinkage = math.sqrt(_area(x, y) / (height * width))
    if (corners[2] <= 0).any():
        return image, np.eye(3)
    left, right = _covering(x, _MARGIN * shrinkage, image.shape[1])
    top, bottom = _covering(y, _MARGIN * shrinkage, image.shape[0])
    near, scale = _halved(image[top:bottom, left:right], shrinkage)
    return near, np.array([[scale, 0, -scale * left], [0, scale, -scale * top], [0, 0, 1]])


def _area(x: np.ndarray, y: np.ndarray) -> float:
    """Return the area of a polygon."""
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)


def _covering(positions: np.ndarray, margin: float, size: int) -> tuple[int, int]:
    """Return the first pixel and the end of a range that holds positions, at least one pixel of the image."""
    first = min(max(0, math.floor(positions.min() - margin)), size - 1)
    return first, max(first + 1, min(size, math.ceil(positions.max() + margin)))
