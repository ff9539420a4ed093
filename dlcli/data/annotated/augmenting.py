"""Augmentation of annotated images: image, boxes, masks and ignored regions moved by one warp onto a canvas.

The operations are those of all images (`dlcli.data.images.operations`); what detectors add is the canvas, and that a
zoomed image lies anywhere in it that shows an object. Everything random is a function of a seed. Torch-free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.fitting import Size, fit_size
from dlcli.data.annotated.masks import to_pixels
from dlcli.data.annotated.sides import mirrored_labels
from dlcli.data.images.operations.boxes import move_boxes
from dlcli.data.images.operations.colour import FILL
from dlcli.data.images.operations.geometry import fits, windows
from dlcli.data.images.operations.moving import apply
from dlcli.data.images.operations.numbers import draw_numbers
from dlcli.data.images.operations.table import DEFAULT, NONE, Step, parse_augment

DETECTION = "flip zoom=1.6 aspect=1.1 brightness=0.3 contrast=0.3 saturation=0.4 hue=0.02"
"""The detectors' default, chosen by trials on blood cells and raccoons; no mosaic, which long trainings need."""

LEAST_AREA = 0.3
"""Share of a box that must stay in the canvas: less shows too little of an object."""

LEAST_SIDE = 3.0
"""Pixels of the canvas that a box's sides must exceed: the finest maps see every eighth pixel."""


@dataclass(frozen=True)
class Recipe:
    """What is done to annotated images.

    Attributes:
        steps: the operations; those that move an image act about its middle.
        mirrored: (C,) the label of each class in a mirror (`sides.mirrored_labels`); () if all keep theirs.
    """

    steps: tuple[Step, ...] = ()
    mirrored: tuple[int, ...] = ()

    @property
    def is_placed(self) -> bool:
        """Whether an image has a random place in the canvas: if it is zoomed; else it stays in the top left corner."""
        return any(step.name == "zoom" for step in self.steps)


def recipe_of(augment: str, classes: Sequence[str] = ()) -> Recipe:
    """Return the recipe that an option names.

    Args:
        augment: "default" (`DETECTION`), "none", or operations such as "flip rotate=3 light=0.05".
        classes: names of the classes, for those that differ by left and right.

    Raises:
        ValueError: an operation is unknown or its strength out of range.
    """
    steps = parse_augment(DETECTION if augment == DEFAULT else augment)
    return Recipe(steps, tuple(mirrored_labels(classes).tolist()) if steps and augment != NONE else ())


class Augmented(NamedTuple):
    """A canvas and what it shows.

    Attributes:
        image: (H, W, 3) uint8.
        boxes: (K, 4) float32 xyxy in pixels, cut at the canvas.
        labels: (K,) int64.
        masks: (K, H, W) uint8 of 0 and 1; None unless wanted.
        kept: (K,) int64, which of the record's objects these are.
        ignored: (I, 4) float32: what is seen of crowds and difficult objects.
        is_mirrored: whether left and right are exchanged; of four images in one that is said of none.
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    masks: np.ndarray | None
    kept: np.ndarray
    ignored: np.ndarray
    is_mirrored: bool = False


def augment(
    image: np.ndarray, record: AnnotatedImage, canvas: Size, recipe: Recipe, seed: int, *, with_masks: bool = False
) -> Augmented:
    """Return an annotated image on a canvas, augmented.

    A box stays if at least 30 % of it, and sides of more than 3 px, lie in the canvas.

    Args:
        image: (H, W, 3) uint8, the record's image at any size.
        record: its annotations.
        canvas: height and width of the result.
        recipe: the operations.
        seed: of which everything random is a function.
        with_masks: also return masks; an object without one fills its box.
    """
    random = np.random.default_rng(seed)
    learned, ignored = _split(record)
    size = (image.shape[0], image.shape[1])
    scale = np.array([size[1] / record.width, size[0] / record.height] * 2)
    boxes, regions = (
        np.array([record.objects[number].box for number in numbers]).reshape(-1, 4) * scale
        for numbers in (learned, ignored)
    )
    numbers, matrix = draw_warp(size, boxes, canvas, recipe, random)
    masks = _masks([record.objects[number] for number in learned], record, boxes, size) if with_masks else None
    moved = apply(image, numbers, boxes, masks, frame=canvas, least_area=LEAST_AREA, matrix=matrix)
    is_large = (moved.boxes[:, 2:] - moved.boxes[:, :2] > LEAST_SIDE).all(axis=1)
    kept = np.array(learned, np.int64)[moved.kept[is_large]]
    labels = np.array([record.objects[number].label for number in kept.tolist()], np.int64)
    is_mirrored = bool(np.linalg.det(matrix[:2, :2]) < 0)
    if recipe.mirrored and is_mirrored:
        labels = np.array(recipe.mirrored)[labels]
    return Augmented(
        moved.image,
        moved.boxes[is_large],
        labels,
        moved.masks[is_large] if with_masks else None,
        kept,
        move_boxes(regions, matrix, canvas, 0.0)[0],
        is_mirrored,
    )


def mosaic(
    images: Sequence[np.ndarray],
    records: Sequence[AnnotatedImage],
    canvas: Size,
    recipe: Recipe,
    seed: int,
    *,
    with_masks: bool = False,
) -> Augmented:
    """Return four annotated images, each augmented, in the quarters of a canvas (Bochkovskiy 2020, arXiv:2004.10934).

    The quarters meet at a random place, at least 30 % of a side from the edges. `kept` counts the objects of all four.

    Args:
        images, records: four images with their annotations.
        canvas, recipe, seed, with_masks: as in `augment`.
    """
    random = np.random.default_rng([seed, 4])
    row, column = (round(side * share) for side, share in zip(canvas, random.uniform(0.3, 0.7, 2), strict=True))
    picture = np.full((*canvas, images[0].shape[2]), FILL, np.uint8)
    parts, first = [], 0
    for quarter, (image, record) in enumerate(zip(images, records, strict=True)):
        top, left = row * (quarter // 2), column * (quarter % 2)
        frame = (canvas[0] - row if top else row, canvas[1] - column if left else column)
        own_seed = int(random.integers(2**31))
        part = augment(image, record, frame, recipe, own_seed, with_masks=with_masks)
        picture[top : top + frame[0], left : left + frame[1]] = part.image
        parts.append(_shifted(part, top, left, canvas, first))
        first += len(record.objects)
    boxes, labels, kept, ignored = (
        np.concatenate(pieces)
        for pieces in zip(*((part.boxes, part.labels, part.kept, part.ignored) for part in parts), strict=True)
    )
    masks = np.concatenate([part.masks for part in parts if part.masks is not None]) if with_masks else None
    return Augmented(picture, boxes, labels, masks, kept, ignored)


def _shifted(part: Augmented, top: int, left: int, canvas: Size, first: int) -> Augmented:
    """Return a part's annotations in the pixels of the whole canvas, its objects counted from `first` on."""
    shift = np.array([left, top, left, top], np.float32)
    masks = None
    if part.masks is not None:
        height, width = part.image.shape[:2]
        masks = np.zeros((len(part.masks), *canvas), np.uint8)
        masks[:, top : top + height, left : left + width] = part.masks
    return part._replace(boxes=part.boxes + shift, masks=masks, kept=part.kept + first, ignored=part.ignored + shift)


def _split(record: AnnotatedImage) -> tuple[list[int], list[int]]:
    """Return which objects are learned, and which are only ignored."""
    learned: list[int] = []
    ignored: list[int] = []
    for number, each in enumerate(record.objects):
        (ignored if each.is_crowd or each.is_difficult else learned).append(number)
    return learned, ignored


def draw_warp(
    size: Size, boxes: np.ndarray, canvas: Size, recipe: Recipe, random: np.random.Generator
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the numbers of an image, and the matrix from the image to the canvas, (3, 3).

    The operations move the image within its place in the canvas, which is the one it has in evaluation.
    """
    inner = fit_size(size, max(canvas), canvas).inner
    numbers = draw_numbers(recipe.steps, 1, inner, random)
    matrix = np.diag([inner[1] / size[1], inner[0] / size[0], 1.0])
    if "window" in numbers:
        matrix = fits(windows(numbers["window"], size, inner), inner)[0]
    if "matrix" in numbers:
        matrix = numbers["matrix"][0] @ matrix
    if recipe.is_placed:
        matrix = _placed(matrix, size, boxes, canvas, random)
    return numbers, matrix


def _placed(matrix: np.ndarray, size: Size, boxes: np.ndarray, canvas: Size, random: np.random.Generator) -> np.ndarray:
    """Return a matrix followed by a random shift, for which the centre of a random object is in the canvas.

    A smaller image lies anywhere within the canvas; of a larger one any part fills it.
    """
    height, width = size
    corners = matrix @ np.array([[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1.0]])
    corners = corners[:2] / corners[2]
    low, high = corners.min(axis=1), corners.max(axis=1)
    frame = np.array([canvas[1], canvas[0]], np.float64)
    shift = random.random(2) * (frame - (high - low)) - low
    if len(boxes):
        left, top, right, bottom = boxes[random.integers(len(boxes))]
        centre = matrix @ [(left + right) / 2, (top + bottom) / 2, 1]
        centre = centre[:2] / centre[2]
        shift = shift.clip(-centre, frame - centre)
    return np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]]) @ matrix


def _masks(objects: Sequence[Annotation], record: AnnotatedImage, boxes: np.ndarray, size: Size) -> np.ndarray:
    """Return the masks of objects at the size of the image, (N, H, W) uint8; one without a mask fills its box.

    Args:
        boxes: (N, 4) in pixels of the image.
    """
    import cv2

    masks = np.zeros((len(objects), *size), np.uint8)
    for mask, each, box in zip(masks, objects, boxes, strict=True):
        if each.segmentation is None:
            left, top, right, bottom = (round(side) for side in box.tolist())
            mask[top:bottom, left:right] = 1
        else:
            pixels = to_pixels(each.segmentation, record.height, record.width)
            mask[:] = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return masks
