"""Writing YOLO's labels: `data.yaml` and `labels/<split>/*.txt` beside the images of a prepared folder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlcli.core.files import write_text
from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.form import AnnotatedForm
from dlcli.data.annotated.masks import polygons_of, to_pixels

_KEYS = {"train": "train", "valid": "val", "test": "test"}


def write(form: AnnotatedForm, folder: Path) -> None:
    """Write `data.yaml` and the label files of a prepared folder, whose images stay where they are.

    An image without objects has no label file, which YOLO reads as background. Crowds have no place in this format and
    are left out; marks of difficult objects are lost. `data.yaml` says how many.

    Raises:
        OSError: a file cannot be written.
    """
    num_crowds = num_difficult = 0
    for split in form.splits():
        for image in form.of_split(split):
            num_crowds += sum(each.is_crowd for each in image.objects)
            num_difficult += sum(each.is_difficult for each in image.objects)
            text = yolo_text(image)
            if text:
                write_text(folder / _label_name(image.file), text)
    write_text(folder / "data.yaml", _data_yaml(form, num_crowds, num_difficult))


def yolo_text(image: AnnotatedImage, classes: Sequence[str] = ()) -> str:
    """Return the label file of an image: a line for each object that is no crowd.

    Lines are boxes, or polygons of all objects where one of them has a mask: readers expect one kind in a file. The
    parts of a mask in several pieces are joined by lines without width; holes are filled.

    Args:
        image: its boxes in pixels become shares, exact to 1e-9 of a side.
        classes: not needed, since lines have indices.
    """
    del classes
    objects = [each for each in image.objects if not each.is_crowd]
    has_masks = any(each.segmentation is not None for each in objects)
    lines = []
    for each in objects:
        numbers = _outline(each, image) if has_masks else _centred(each, image)
        lines.append(" ".join([str(each.label), *map(_share, numbers)]) + "\n")
    return "".join(lines)


def _label_name(file: str) -> str:
    """Return the label file of `images/train/a.jpg`: `labels/train/a.txt`."""
    stem = file.rpartition(".")[0]
    return f"labels/{stem.removeprefix('images/')}.txt"


def _share(value: float) -> str:
    return f"{value:.9f}".rstrip("0").rstrip(".") or "0"


def _centred(each: Annotation, image: AnnotatedImage) -> list[float]:
    left, top, right, bottom = each.box
    return [
        (left + right) / 2 / image.width,
        (top + bottom) / 2 / image.height,
        (right - left) / image.width,
        (bottom - top) / image.height,
    ]


def _outline(each: Annotation, image: AnnotatedImage) -> list[float]:
    """Return the corners of an object's mask, or of its box if it has none, as shares."""
    corners = outline_of(each, image) / [image.width, image.height]
    return [float(value) for value in corners.clip(0, 1).ravel()]


def outline_of(each: Annotation, image: AnnotatedImage) -> np.ndarray:
    """Return the corners of an object's mask as one polygon, (N, 2) in pixels; those of its box if it has no pixel."""
    polygons = each.segmentation if isinstance(each.segmentation, list) else []
    if isinstance(each.segmentation, dict):
        polygons = polygons_of(to_pixels(each.segmentation, image.height, image.width))
    left, top, right, bottom = each.box
    return joined(polygons or [[left, top, right, top, right, bottom, left, bottom]])


def joined(polygons: Sequence[Sequence[float]]) -> np.ndarray:
    """Return several polygons as one, (N, 2): each is reached and left by a line without width, so areas add up.

    Args:
        polygons: at least one, each x1, y1, x2, y2, ...
    """
    parts = [np.asarray(polygon, np.float64).reshape(-1, 2) for polygon in polygons]
    outline = parts.pop(0)
    while parts:
        distances = [np.square(outline[:, None] - part[None]).sum(-1) for part in parts]
        nearest = int(np.argmin([each.min() for each in distances]))
        part = parts.pop(nearest)
        here, there = divmod(int(distances[nearest].argmin()), len(part))
        inserted = np.concatenate([part[there:], part[: there + 1], outline[here : here + 1]])
        outline = np.concatenate([outline[: here + 1], inserted, outline[here + 1 :]])
    return outline


def _data_yaml(form: AnnotatedForm, num_crowds: int, num_difficult: int) -> str:
    """Return `data.yaml`; paths are relative to it, since `path` is left out."""
    import yaml

    places = {_KEYS[split]: f"images/{split}" for split in form.splits()}
    if "val" not in places:  # which YOLO requires
        places["val"] = places.get("test", places["train"])
    comments = []
    if num_crowds:
        comments.append(f"# {num_crowds:,} crowd regions are left out: this format has none\n")
    if num_difficult:
        comments.append(f"# {num_difficult:,} objects are marked difficult, which this format cannot say\n")
    content = {**places, "nc": len(form.card.classes), "names": dict(enumerate(form.card.classes))}
    return "".join(comments) + yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=math.inf)
