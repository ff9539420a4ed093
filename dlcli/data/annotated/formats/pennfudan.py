"""Images beside masks of instance numbers: Penn-Fudan's pedestrians, and folders `images/` and `masks/` like them.

A mask has the size of its image; its pixels are 0 for the background and k for the k-th object. All objects are of one
class. With `--annotations semantic` the numbers are classes instead, named by `classes.txt` or by themselves.
Source: www.cis.upenn.edu/~jshi/ped_html.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.annotated.annotation import VOID
from dlcli.data.annotated.folders import split_of_path
from dlcli.data.annotated.formats.places import ImageFinder
from dlcli.data.annotated.formats.yolo_yaml import read_class_file
from dlcli.data.annotated.found import Found, FoundImage, FoundObject, Reading
from dlcli.data.images.decoding import read_bytes, read_header

NAME = "pennfudan"
SUMMARY = "masks of instance numbers: PNGImages/ and PedMasks/, or images/ and masks/"

LAYOUTS = (("PNGImages", "PedMasks", "person"), ("images", "masks", "object"))
"""Folder of the images, folder of the masks, and the class."""

MAX_OBJECTS = 254
"""The largest instance number in a file of 8 bits, where 255 is the edge between objects."""

MAX_UNNAMED = 100
"""Classes without a name; larger numbers are shades of grey, or come from smoothed edges."""


def matches(source: Path) -> bool:
    """Return whether this is a folder with one of the `LAYOUTS`."""
    return _layout(source) is not None


def _layout(source: Path) -> tuple[str, str, str] | None:
    return next(
        (layout for layout in LAYOUTS if all((source / folder).is_dir() for folder in layout[:2])),
        None,
    )


def read(source: Path, options: Reading) -> Found:
    """Return the images, each with its map of instance numbers and an object for each of them.

    Args:
        source: the folder around the two folders.
        options: `images` is the folder of the images, if it is elsewhere; `task` "semantic" reads numbers as classes.

    Raises:
        DataError: it is no such folder, or none of its masks fits an image.
    """
    layout = _layout(source)
    if layout is None:
        raise DataError(f"{source}: neither PNGImages/ and PedMasks/ nor images/ and masks/")
    folder, mask_folder, label = layout
    finder, masks = ImageFinder(options.images or source / folder), ImageFinder(source / mask_folder)
    mask_of = {name.rpartition(".")[0].removesuffix("_mask"): name for name in masks.names}
    notes: list[str] = []
    images = []
    is_semantic, present = options.task == "semantic", {0}
    for name in finder.names:
        mask = mask_of.pop(name.rpartition(".")[0], None)
        if mask is None:
            notes.append(f"{name}: no mask in {mask_folder}/: skipped")
            continue
        where, split = f"{mask_folder}/{mask}", split_of_path(name)
        try:
            numbers = _numbers(masks.root / mask, is_semantic)
        except DataError as error:
            notes.append(f"{where}: {error.message}: skipped")
            continue
        if is_semantic:
            present |= numbers
            images.append(FoundImage(finder.root / name, where, split, label_map=masks.root / mask))
            continue
        count = max(numbers)
        objects = (FoundObject(label, None),) * count
        path = masks.root / mask if count else None
        images.append(FoundImage(finder.root / name, where, split, objects, instance_map=path))
    notes += [f"{mask_folder}/{mask}: no image of this name in {folder}/: skipped" for mask in mask_of.values()]
    if not images:
        raise DataError(
            f"{source}: no mask in {mask_folder}/ fits an image in {folder}/",
            details=notes[:3],
            hint="expected: images/a.jpg with masks/a.png or masks/a_mask.png of 0, 1, 2, ...",
        )
    if is_semantic:
        names = _class_names(source, mask_folder, present)
        return Found(tuple(images), tuple(name for name in names if name), tuple(notes), ("", *names))
    if layout is not LAYOUTS[0]:
        notes.append(f"{mask_folder}/: numbers are read as those of objects; as classes with --annotations semantic")
    return Found(tuple(images), (label,), tuple(notes))


def _class_names(source: Path, mask_folder: str, present: set[int]) -> list[str]:
    """Return the names of the values 1, 2, ... of the masks: the lines of `classes.txt`, or the values.

    Args:
        source: the folder, in which `classes.txt` may be.
        mask_folder: for messages.
        present: the values that occur in masks, `VOID` aside.

    Raises:
        DataError: no class occurs, or values so far beyond the names that they are no classes.
    """
    if not any(present):
        raise DataError(
            f"{source}: no mask in {mask_folder}/ has a number but 0, the background, and 255, which is void",
            hint="save the class as 1 in place of 255",
        )
    data = read_class_file(source)
    names = list(data.names) if data is not None else []
    if names and names[0].strip("_").lower() in ("background", "unlabeled", "unlabelled"):
        names = names[1:]
    unnamed = sorted(value for value in present if value > len(names))
    if unnamed and unnamed[-1] - len(names) > MAX_UNNAMED:
        raise DataError(
            f"{source}: masks in {mask_folder}/ have numbers up to {unnamed[-1]}, and {len(names)} classes are named",
            details=[
                f"numbers without a name: {', '.join(map(str, unnamed[:8]))}{', ...' if len(unnamed) > 8 else ''}",
                "masks whose edges were smoothed, or that were a JPEG once, hold every shade between two classes",
            ],
            hint="save classes as 1, 2, ... without smoothing, as PNG; or name all in classes.txt, one a line",
        )
    return [*names, *(str(value) for value in range(len(names) + 1, max(present) + 1))]


def _numbers(path: Path, is_semantic: bool) -> set[int]:
    """Return the numbers in a mask, of instances or of classes, and 0; 255, void, is none of a class.

    Raises:
        DataError: it cannot be read, has colours, or holds something other than such numbers.
    """
    from PIL import Image

    data = read_bytes(path)
    if read_header(data).format == "JPEG":  # which also bounds the number of pixels
        raise DataError("save masks as PNG: JPEG changes the numbers")
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode not in ("1", "L", "P", "I", "I;16"):
                raise DataError(f"colours ({image.mode}) in place of one number for each pixel")
            values = np.unique(np.asarray(image))
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"a damaged mask: {str(error)[:100]}") from None
    if is_semantic:
        values = values[values != VOID]
    elif values.tolist() in ([0, 255], [255]):
        raise DataError("only 0 and 255: one region and no instance numbers (1, 2, ... for each object)")
    numbers = {0, *map(int, values)}
    if min(numbers) < 0 or max(numbers) > MAX_OBJECTS:
        raise DataError(f"a pixel of {max(numbers):,}: numbers are 1 to {MAX_OBJECTS}")
    return numbers
