"""What a reader finds in an annotation format, before it is checked: nothing here can be trusted yet.

Each module in `formats` has

    NAME: str                                     the name that the user types
    SUMMARY: str                                  one line: what such a folder or file looks like
    matches(source: Path) -> bool                 whether this is such a folder or file, quickly and without a fault
    read(source: Path, options: Reading) -> Found raises a DataError if it is not

and, where people want that format back, `write(form: AnnotatedForm, folder: Path) -> None`, which adds its files to a
prepared folder, so that the folder is in both forms. A faulty annotation is never repaired in a reader; it is passed on
as it is written, so that `checking` treats all formats alike. A reader notes only what cannot be passed on at all (an
XML file that is not well-formed).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcli.data.annotated.annotation import Segmentation


@dataclass(frozen=True)
class Reading:
    """Options of readers, each for the formats that need it.

    Attributes:
        images: a folder of the images, if they are not where the format has them.
        task: "boxes", "masks" or "semantic": what to read where a format has several, "" for all.
    """

    images: Path | None = None
    task: str = ""


@dataclass(frozen=True)
class FoundObject:
    """An object as its file describes it.

    Attributes:
        name: its class as it is written.
        box: left, top, right, bottom in pixels from 0; it may be outside, empty, inverted or not finite. None if the
            mask alone says where it is.
        segmentation: as written, perhaps damaged; None for a box alone.
        is_crowd, is_difficult, extra: as in `Annotation`.
    """

    name: str
    box: tuple[float, float, float, float] | None
    segmentation: Segmentation | None = None
    is_crowd: bool = False
    is_difficult: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FoundImage:
    """An image as its annotation describes it.

    Attributes:
        path: the image file; it may be missing.
        annotation: the file that describes it, for messages ("a.xml", "instances.json").
        split: "train", "valid" or "test"; "" if the source does not say.
        objects: the objects.
        size: width and height that the annotation claims; None if it does not. It may be wrong.
        tags: classes that are said of the whole image.
        label_map: a PNG of palette indices, one for each pixel; None if there is none.
        instance_map: a PNG of instance numbers, one for each pixel, 0 for none; None if there is none. The checker
            makes masks of it; the class of instance k is that of `objects[k - 1]`, or that which `label_map` has there.
        group: as in `AnnotatedImage`.
        damage: why its annotation cannot be read at all, so that nobody knows what it shows; "" if it can.
    """

    path: Path
    annotation: str
    split: str = ""
    objects: tuple[FoundObject, ...] = ()
    size: tuple[int, int] | None = None
    tags: tuple[str, ...] = ()
    label_map: Path | None = None
    instance_map: Path | None = None
    group: str = ""
    damage: str = ""


@dataclass(frozen=True)
class Found:
    """Everything that a reader found.

    Attributes:
        images: the images, in a stable order.
        classes: the classes in the source's order; () if it only names them in objects, which are then sorted.
        notes: what could not be passed on, one line each, the file first.
        palette: class of each index of the label maps, "" for the background; () if they hold `classes` from 1.
    """

    images: tuple[FoundImage, ...]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    palette: tuple[str, ...] = ()
