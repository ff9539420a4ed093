"""Annotated images as COCO's JSON values and back; `formats.coco` reads the JSON files of others.

Ids are counted from 1, in order. A box is x, y, width, height; positions have three decimals, so that a box comes back
as it was. What COCO has no place for stands beside: `ignore` (difficult) and what the source says of an annotation;
`tags`, `label_map` and `group` of an image.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dlcli.core.errors import DataError
from dlcli.data.annotated.annotation import AnnotatedImage, Annotation, Box
from dlcli.data.annotated.shapes import checked_mask

_DIGITS = 3
ANNOTATION_KEYS = frozenset(
    ("id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation", "ignore", "difficult")
)
"""Keys of an annotation that are not what a source says beside it."""


def to_coco(images: Iterable[AnnotatedImage], classes: Sequence[str]) -> dict[str, Any]:
    """Return images, annotations and categories as COCO's JSON values."""
    rows: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images, 1):
        rows.append(_image_row(image, number))
        for each in image.objects:
            annotations.append(annotation_row(each, len(annotations) + 1, number))
    categories = [{"id": number, "name": name} for number, name in enumerate(classes, 1)]
    return {"images": rows, "annotations": annotations, "categories": categories}


def _image_row(image: AnnotatedImage, number: int) -> dict[str, Any]:
    row: dict[str, Any] = {"id": number, "file_name": image.file, "height": image.height, "width": image.width}
    if image.tags:
        row["tags"] = [tag + 1 for tag in image.tags]
    if image.label_map:
        row["label_map"] = image.label_map
    if image.group:
        row["group"] = image.group
    return row


def annotation_row(each: Annotation, number: int, image: int) -> dict[str, Any]:
    """Return an object as a COCO annotation.

    Args:
        each: the object.
        number: its id.
        image: id of its image.
    """
    row: dict[str, Any] = {name: value for name, value in each.extra.items() if name not in ANNOTATION_KEYS}
    row |= {
        "id": number,
        "image_id": image,
        "category_id": each.label + 1,
        "bbox": xywh(each.box),
        "area": each.area,
        "iscrowd": int(each.is_crowd),
    }
    if each.is_difficult:
        row["ignore"] = 1
    if each.segmentation is not None:
        row["segmentation"] = each.segmentation
    return row


def xywh(box: Box) -> list[float]:
    """Return left, top, width and height of a box."""
    left, top, right, bottom = box
    return [round(value, _DIGITS) for value in (left, top, right - left, bottom - top)]


def xyxy(values: Sequence[float]) -> Box:
    """Return the box of left, top, width and height."""
    left, top, across, down = values
    return round(left, _DIGITS), round(top, _DIGITS), round(left + across, _DIGITS), round(top + down, _DIGITS)


def from_coco(value: Any, where: str) -> tuple[tuple[str, ...], tuple[AnnotatedImage, ...]]:
    """Return the classes and images of JSON values that `to_coco` made.

    Args:
        value: the content of the file.
        where: its name, for messages.

    Raises:
        DataError: it is damaged, or was not made by `to_coco`.
    """
    try:
        classes = tuple(str(row["name"]) for row in value["categories"])
        _require([row["id"] for row in value["categories"]] == list(range(1, len(classes) + 1)), "category ids")
        objects: dict[int, list[Annotation]] = {number: [] for number in range(1, len(value["images"]) + 1)}
        sizes = [(_count(row["height"]), _count(row["width"])) for row in value["images"]]
        for expected, row in enumerate(value["annotations"], 1):
            _require(row["id"] == expected, f"the annotation id {row['id']!r} in place of {expected}")
            number = row["image_id"]
            objects[number].append(_annotation(row, len(classes), *sizes[number - 1]))
        images = tuple(
            _image(row, number, tuple(objects[number]), len(classes)) for number, row in enumerate(value["images"], 1)
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise DataError(
            f"{where}: damaged: {type(error).__name__}: {error}", hint="prepare the data again with `dl prepare`"
        ) from None
    return classes, images


def _image(row: Mapping[str, Any], number: int, objects: tuple[Annotation, ...], num_classes: int) -> AnnotatedImage:
    _require(row["id"] == number, f"the id {row['id']!r} in place of {number}")
    tags = tuple(_label(tag, num_classes) for tag in row.get("tags", ()))
    file, label_map, group = row["file_name"], row.get("label_map", ""), row.get("group", "")
    _require(isinstance(group, str), "a group that is no text")
    _require(is_inside(file) and (label_map == "" or is_inside(label_map)), f"the path {file!r} or {label_map!r}")
    return AnnotatedImage(file, _count(row["height"]), _count(row["width"]), objects, tags, label_map, group)


def is_inside(path: Any) -> bool:
    """Return whether a value is a relative path that stays inside its folder."""
    if not isinstance(path, str) or not path or "\\" in path or ":" in path or "\0" in path:
        return False
    return not path.startswith("/") and ".." not in path.split("/")


def _annotation(row: Mapping[str, Any], num_classes: int, height: int, width: int) -> Annotation:
    box = xyxy([_number(side) for side in row["bbox"]])
    _require(0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height, f"the box {row['bbox']!r}")
    segmentation = checked_mask(row["segmentation"], height, width) if "segmentation" in row else None
    return Annotation(
        _label(row["category_id"], num_classes),
        box,
        _number(row["area"]),
        bool(row["iscrowd"]),
        bool(row.get("ignore", 0)),
        segmentation,
        {name: each for name, each in row.items() if name not in ANNOTATION_KEYS},
    )


def _label(category: Any, num_classes: int) -> int:
    _require(type(category) is int and 1 <= category <= num_classes, f"the category {category!r}")
    return int(category) - 1


def _count(value: Any) -> int:
    _require(type(value) is int and value > 0, f"{value!r} in place of a count")
    return int(value)


def _number(value: Any) -> float:
    _require(type(value) in (int, float) and math.isfinite(value), f"{value!r} in place of a number")
    return float(value)


def _require(is_sound: bool, what: str) -> None:
    if not is_sound:
        raise ValueError(what)
