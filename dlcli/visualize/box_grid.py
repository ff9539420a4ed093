"""Annotated images with boxes and masks: samples of a dataset, and one image augmented several times. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.augmenting import Augmented, Recipe, augment
from dlcli.data.annotated.fitting import Size
from dlcli.data.annotated.form import AnnotatedForm, open_annotated
from dlcli.data.annotated.masks import to_pixels
from dlcli.visualize.boxes import DrawnBox, Look, draw_boxes
from dlcli.visualize.canvas import MAX_PICTURE_PX, add_title, tile
from dlcli.visualize.masks import draw_masks

MOST_IMAGES = 24
"""More in one picture would be too small for their tags."""

CELL_PX = 480
_GAP = 6


def draw_record(image: np.ndarray, record: AnnotatedImage, class_names: Sequence[str], side: int) -> np.ndarray:
    """Return an image with its masks and boxes, its longer side of a given length, (H, W, 3) uint8 RGB.

    Args:
        image: (H, W, 3) uint8 RGB of the record's size.
        record: its annotations; crowds are dashed, difficult objects thin.
        class_names: a class is its position.
        side: in pixels.
    """
    scale = side / max(image.shape[:2])
    masks = [
        (to_pixels(each.segmentation, record.height, record.width), each.label)
        for each in record.objects
        if each.segmentation is not None
    ]
    boxes = [DrawnBox(each.box, each.label, look=_look(each)) for each in record.objects]
    picture = draw_masks(image, [mask for mask, _ in masks], [label for _, label in masks], scale=scale)
    shown = [_scaled(each, scale) for each in boxes]
    return draw_boxes(picture, shown, class_names)


def _look(each: Annotation) -> Look:
    return "crowd" if each.is_crowd else "difficult" if each.is_difficult else "plain"


def _scaled(box: DrawnBox, scale: float) -> DrawnBox:
    left, top, right, bottom = (side * scale for side in box.box)
    return DrawnBox((left, top, right, bottom), box.label, box.score, box.look)


def draw_annotated(folder: Path, split: str, count: int) -> np.ndarray:
    """Return a picture of images of a split with boxes and masks; see `dlcli.core.specs.FormSpec.samples`.

    There are up to `count` images that show each class, 24 in all; an image often shows several.

    Raises:
        UsageError: there is no such split.
        DataError: the folder does not contain annotated images, or one of them cannot be read.
    """
    form = open_annotated(folder)
    if split not in form.splits():
        raise UsageError(f"--split: no split {split!r}", hint=did_you_mean(split, form.splits()))
    return draw_form(form, split, count)


def draw_form(form: AnnotatedForm, split: str, count: int) -> np.ndarray:
    """Return the picture of `draw_annotated` of an open folder."""
    names = form.card.classes
    chosen = chosen_images(form.of_split(split), len(names), count)
    side = cell_side(len(chosen))
    cells = [draw_record(form.read(record), record, names, side) for record in chosen]
    captions = [record.file.rpartition("/")[2] for record in chosen]
    return add_title(tile(cells, captions=captions, gap=_GAP, scale=1), [f"{form.card.name}, {split}"])


def cell_side(count: int) -> int:
    """Return the side of the cells of a grid of `count` pictures that is at most about 2000 px wide."""
    return min(CELL_PX, MAX_PICTURE_PX // math.ceil(math.sqrt(max(count, 1))) - _GAP)


def chosen_images(records: Sequence[AnnotatedImage], num_classes: int, count: int) -> list[AnnotatedImage]:
    """Return up to `count` images of each class, 24 in all, in their order, spread over the split.

    The class that the fewest images show chooses first; images that others have chosen count for it too.
    """
    members: list[list[int]] = [[] for _ in range(num_classes)]
    for number, record in enumerate(records):
        for label in record.labels:
            members[label].append(number)
    chosen: set[int] = set()
    for numbers in sorted((numbers for numbers in members if numbers), key=len):
        wanted = min(count, len(numbers)) - len(chosen.intersection(numbers))
        rest = [number for number in numbers if number not in chosen]
        room = min(max(wanted, 0), MOST_IMAGES - len(chosen))
        chosen.update(rest[place] for place in np.linspace(0, len(rest) - 1, room).astype(int).tolist())
    if not chosen:  # images without objects
        chosen.update(range(min(count, MOST_IMAGES, len(records))))
    return [records[number] for number in sorted(chosen)]


def draw_augmented(
    image: np.ndarray,
    record: AnnotatedImage,
    class_names: Sequence[str],
    recipe: Recipe,
    canvas: Size,
    *,
    seed: int = 0,
    count: int = 9,
    title: str = "",
) -> tuple[np.ndarray, list[Augmented]]:
    """Return an image augmented several times with its boxes, as a grid, (H, W, 3) uint8 RGB, and what it shows.

    Args:
        image: (H, W, 3) uint8 RGB.
        record: its annotations.
        class_names: a class is its position.
        recipe, canvas: as in `augment`.
        seed: the n-th version has seed + n.
        count: number of versions.
        title: a line above.
    """
    has_masks = any(each.segmentation is not None for each in record.objects)
    versions = [augment(image, record, canvas, recipe, seed + number, with_masks=has_masks) for number in range(count)]
    scale = cell_side(count) / max(canvas)
    grid = tile([_version(each, class_names, scale) for each in versions], gap=_GAP, scale=1)
    return (add_title(grid, [title]) if title else grid), versions


def _version(version: Augmented, class_names: Sequence[str], scale: float) -> np.ndarray:
    masks = () if version.masks is None else version.masks
    picture = draw_masks(version.image, masks, version.labels.tolist(), scale=scale)
    boxes = [
        DrawnBox((box[0], box[1], box[2], box[3]), label)
        for box, label in zip((version.boxes * scale).tolist(), version.labels.tolist(), strict=True)
    ]
    return draw_boxes(picture, boxes, class_names)
