"""The form "annotated images": COCO's JSON beside the images.

    dataset.json
    annotations/instances_train.json, instances_valid.json, instances_test.json
    images/train/*.jpg, images/valid/*.jpg, images/test/*.jpg
    label_maps/train/*.png, ...                    where the source has them

The JSON files are COCO's instances: image, category and annotation ids from 1, `area` and `iscrowd` always, boxes as
x, y, width, height. Beyond COCO an annotation may have `ignore` (1: difficult) and what the source says beside it, and
an image `tags` (category ids of the whole image), `label_map` and `group`. Paths are relative to the data's folder.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.annotated.annotation import VOID, AnnotatedImage
from dlcli.data.annotated.checking import check
from dlcli.data.annotated.coco_json import from_coco
from dlcli.data.annotated.describing import FORM as FORM
from dlcli.data.annotated.describing import SPLITS, annotations_file, make_card, suitable_task
from dlcli.data.annotated.folders import read_json
from dlcli.data.annotated.formats.table import MODULES, format_of
from dlcli.data.annotated.found import Reading
from dlcli.data.annotated.masks import to_pixels
from dlcli.data.annotated.probing import read_indices
from dlcli.data.card import Card, read_card, require_form
from dlcli.data.images.decoding import read_image


@dataclass(frozen=True)
class AnnotatedForm:
    """A folder of annotated images.

    Attributes:
        root: the folder.
        card: its card; made in memory if the folder has none. `classes` are the classes, `counts` the objects (and
            tags) of each, `items` the images; `details["has"]` lists what there is among "boxes", "masks", "tags" and
            "label_maps".
        images: split -> its images.
        is_prepared: whether the folder has a card.
        label_values: value of a label map's file -> its value here, 256 of them; () if they are equal.
    """

    root: Path
    card: Card
    images: Mapping[str, tuple[AnnotatedImage, ...]]
    is_prepared: bool
    label_values: tuple[int, ...] = ()

    def splits(self) -> tuple[str, ...]:
        """Return the existing splits among "train", "valid" and "test", in this order."""
        return tuple(self.images)

    def of_split(self, split: str) -> tuple[AnnotatedImage, ...]:
        """Return the images of a split.

        Raises:
            DataError: there is no such split.
        """
        if split not in self.images:
            raise DataError(f"{self.root}: has no split {split!r}", hint=f"it has: {', '.join(self.images)}")
        return self.images[split]

    def has(self, what: str) -> bool:
        """Return whether the images have "boxes", "masks", "tags" or "label_maps"."""
        return what in self.card.details.get("has", ())

    def read(self, image: AnnotatedImage) -> np.ndarray:
        """Return an image, (H, W, 3) uint8 RGB, as its annotations see it.

        Raises:
            DataError: it cannot be read, or its size is no longer that of its annotations.
        """
        pixels = read_image(self.root / image.file, channels=3)
        if pixels.shape[:2] != (image.height, image.width):
            raise DataError(
                f"{self.root / image.file}: {pixels.shape[1]} x {pixels.shape[0]} pixels, "
                f"annotated with {image.width} x {image.height}",
                hint="prepare the data again",
            )
        return pixels

    def read_label_map(self, image: AnnotatedImage) -> np.ndarray:
        """Return the label map of an image, (H, W) uint8: 0 for the background, k + 1 for class k, `VOID` for neither.

        Raises:
            DataError: it cannot be read, its size is not that of the image, or a prepared one has a value of no class.
        """
        path = self.root / image.label_map
        try:
            values = read_indices(path)
        except DataError as error:
            raise DataError(f"{path}: {error.message}", hint="prepare the data again") from None
        if values.shape != (image.height, image.width):
            raise DataError(f"{path}: not of the size of {image.file}", hint="prepare the data again")
        if self.label_values:
            return np.array(self.label_values, np.uint8)[values]
        unknown = values[(values > len(self.card.classes)) & (values != VOID)]
        if unknown.size:
            raise DataError(
                f"{path}: value {unknown.max()}, and there are {len(self.card.classes)} classes",
                hint="prepare the data again",
            )
        return values


def open_annotated(folder: Path) -> AnnotatedForm:
    """Return annotated images: a prepared folder, or a folder in any format of `formats.table`, read and checked now.

    Of a folder without a card, images in no split are in train; nothing is written to it.

    Raises:
        DataError: there is no such folder, it is in no known format, its files are damaged, or its card is of another
            form.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    card = read_card(folder)
    if card is None:
        return _open_own(folder)
    require_form(card, folder, FORM, "annotated images")
    return read_prepared(folder, card)


def read_prepared(folder: Path, card: Card) -> AnnotatedForm:
    """Return a prepared folder with this card.

    Raises:
        DataError: its files are damaged, or do not fit the card.
    """
    images = {}
    for split in card.splits:
        path = folder / annotations_file(split)
        classes, images[split] = from_coco(read_json(path), str(path))
        if classes != card.classes:
            raise DataError(f"{path}: its classes are not those of the card", hint="prepare the data again")
    return AnnotatedForm(folder, card, images, is_prepared=True)


def holds_annotations(folder: Path) -> bool:
    """Return whether a folder without a card is in a format of annotated images."""
    return format_of(folder) is not None


def task_of_own(folder: Path) -> str:
    """Return the task that suits a folder without a card; "" for none, or where opening it will say what is wrong.

    The annotations are read, but no image: checking them takes most of the time.
    """
    found = format_of(folder)
    try:
        images = found.read(folder, Reading()).images if found is not None else ()
    except DataError:
        return ""
    has = (
        ("boxes", any(image.objects or image.instance_map for image in images)),
        ("label_maps", any(image.label_map for image in images)),
        ("tags", any(image.tags for image in images)),
    )
    return suitable_task([what for what, is_there in has if is_there])


def _open_own(folder: Path) -> AnnotatedForm:
    found = format_of(folder)
    if found is None:
        raise DataError(
            f"{folder}: no annotated images",
            details=[f"known formats: {', '.join(MODULES)}"],
            hint="`dl prepare voc` and the other formats say what is missing; `dl datasets` lists them",
        )
    checked = check(found.read(folder, Reading()), folder)
    images = {split: tuple(_relative(image, folder) for image in of) for split, of in checked.images.items()}
    if "" in images:
        images = {"train": (*images.get("train", ()), *images.pop("")), **images}
    ordered = {split: images[split] for split in SPLITS if split in images}
    card = make_card(ordered, checked.classes, folder.resolve().name, checked.notes)
    return AnnotatedForm(folder, card, ordered, is_prepared=False, label_values=checked.label_values)


def _relative(image: AnnotatedImage, folder: Path) -> AnnotatedImage:
    changes: dict[str, Any] = {
        name: os.path.relpath(path, folder).replace(os.sep, "/")
        for name, path in (("file", image.file), ("label_map", image.label_map))
        if path
    }
    return dataclasses.replace(image, **changes)


def masks_of(image: AnnotatedImage) -> np.ndarray:
    """Return the masks of an image's objects, (N, H, W) uint8 of 0 and 1; an object without one fills its box."""
    masks = np.zeros((len(image.objects), image.height, image.width), np.uint8)
    for mask, each in zip(masks, image.objects, strict=True):
        if each.segmentation is not None:
            mask[:] = to_pixels(each.segmentation, image.height, image.width)
        else:
            left, top, right, bottom = (round(side) for side in each.box)
            mask[top:bottom, left:right] = 1
    return masks
