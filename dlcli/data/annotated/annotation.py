"""What annotated images hold, in the terms of the prepared form. Torch-free.

A position (x, y) is a point of the plane in which pixel i covers [i, i + 1), as in COCO: a box of the whole image is
(0, 0, width, height). Pascal VOC's pixel numbers, from 1 and inclusive, are converted where they are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels (xyxy)."""

Segmentation = list[list[float]] | dict[str, Any]
"""COCO's: polygons, each x1, y1, x2, y2, ..., or a run-length encoding, {"size": [height, width], "counts": ...}."""

VOID = 255
"""The value of a label map's pixels that are not to be learned or measured."""


@dataclass(frozen=True)
class Annotation:
    """One object in an image.

    Attributes:
        label: index of its class.
        box: its upright hull in pixels.
        area: of its mask, or of its box if there is none, in square pixels.
        is_crowd: whether it is a region of many objects, which is neither learned nor counted as missed.
        is_difficult: whether Pascal VOC's protocol leaves it out.
        segmentation: its mask; None for a box alone.
        extra: what else the source says of it ("truncated", "pose"), JSON values.
    """

    label: int
    box: Box
    area: float
    is_crowd: bool = False
    is_difficult: bool = False
    segmentation: Segmentation | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AnnotatedImage:
    """An image and what is known of it.

    Attributes:
        file: its path relative to the data's folder, with "/".
        height, width: in pixels, as it is seen (after an EXIF orientation).
        objects: the objects.
        tags: classes that are said of the image as a whole, beside those of its objects.
        label_map: path of a PNG of class indices, one for each pixel, relative to the data's folder; "" if there is
            none. 0 is the background, class k is k + 1, and `VOID` is neither.
        group: images of one group (frames of a film, crops of a photo) stay in one split; "" for none.
    """

    file: str
    height: int
    width: int
    objects: tuple[Annotation, ...] = ()
    tags: tuple[int, ...] = ()
    label_map: str = ""
    group: str = ""

    @property
    def labels(self) -> tuple[int, ...]:
        """The classes that the image shows, in ascending order: those of its objects (not of crowds), and its tags."""
        return tuple(sorted({each.label for each in self.objects if not each.is_crowd} | set(self.tags)))
