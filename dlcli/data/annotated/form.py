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

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.masks import to_pixels
from dlcli.data.card import Card
from dlcli.data.images.decoding import read_image

FORM = "annotated"


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
    """

    root: Path
    card: Card
    images: Mapping[str, tuple[AnnotatedImage, ...]]
    is_prepared: bool

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
