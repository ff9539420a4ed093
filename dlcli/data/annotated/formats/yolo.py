"""YOLO: a `data.yaml` with `images/` and `labels/`, whose lines are "class cx cy w h" as shares of the image.

A line with more numbers is a polygon, "class x1 y1 x2 y2 ...". An image without a label file, or with an empty one,
shows nothing. Darknet's layout (CVAT's "YOLO 1.1") is read as well: `obj.names`, `obj.data`, and lists of the images.
Sources: docs.ultralytics.com, "Object Detection Datasets Overview"; github.com/AlexeyAB/darknet.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.core.files import is_folder
from dlcli.data.annotated.folders import split_of_path
from dlcli.data.annotated.formats.places import ImageFinder, is_file, number, read_text
from dlcli.data.annotated.formats.yolo_yaml import (
    CLASS_FILES,
    DARKNET_FILES,
    YoloData,
    find_lists,
    find_yaml,
    read_class_file,
    read_yaml,
)
from dlcli.data.annotated.found import Found, FoundImage, FoundObject, Reading
from dlcli.data.images.each import for_each
from dlcli.data.images.probing import probe_image

NAME = "yolo"
SUMMARY = "YOLO: data.yaml with images/ and labels/, or images/, labels/ and classes.txt, or obj.names and train.txt"

_MOST = 2.0
"""A larger number is no share of an image, not even of one that a box reaches out of."""
_SPLITS = ("train", "valid", "val", "test")
_LABEL_FOLDERS = ("labels", *(f"labels/{each}" for each in _SPLITS), *(f"{each}/labels" for each in _SPLITS))
_MAX_ENTRIES = 200  # of a folder that `matches` looks at
_LAYOUT = "expected: data.yaml, images/train/*.jpg, labels/train/*.txt; or images/, labels/ and classes.txt"


Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True)
class _Line:
    """A line of a label file: the class's index, and 4 numbers of a box or those of a polygon's corners."""

    index: int
    numbers: tuple[float, ...]


def matches(source: Path) -> bool:
    """Return whether this is a `data.yaml`, a folder with one, or one with lists of classes and of images or labels."""
    try:
        if source.is_file():
            return source.suffix.lower() in (".yaml", ".yml") and bool(read_yaml(source))
        file = find_yaml(source)
        if file is not None:
            return bool(read_yaml(file))
        if any((source / name).is_file() for name in CLASS_FILES) and any(
            map(_has_labels, (source, source / "images"))
        ):
            return True
        if any(is_file(names) and find_lists(names)[0] for names in map(source.joinpath, DARKNET_FILES)):
            return True
        return any(_has_labels(source / folder) for folder in _LABEL_FOLDERS)
    except (DataError, OSError):
        return False


def _has_labels(folder: Path) -> bool:
    """Return whether one of a folder's first entries is a label file: in a folder of labels, or beside its image."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in itertools.islice(entries, _MAX_ENTRIES):
            stem = entry.name.removesuffix(".txt")
            if stem not in (entry.name, "classes"):
                if "labels" in folder.parts[-2:]:
                    return True
                return any((folder / f"{stem}{image}").is_file() for image in (".jpg", ".jpeg", ".png", ".bmp"))
    return False


def read(source: Path, options: Reading) -> Found:
    """Return the images and objects of a data set in YOLO's layout.

    Args:
        source: the folder, or its `data.yaml`.
        options: `images` is the folder that `path` in the `data.yaml` means, where that is elsewhere.

    Raises:
        DataError: it is no such data set, or none of its label lines can be read.
    """
    yaml_file = source if source.is_file() else find_yaml(source)
    folder = source.parent if source.is_file() else source
    data = read_yaml(yaml_file) if yaml_file is not None else read_class_file(folder)
    finder = ImageFinder(options.images or _root_of(folder, data))
    if not finder.names:
        raise DataError(f"{finder.root}: no images", hint=_LAYOUT)
    names = data.names if data is not None else ()
    notes = list(data.notes) if data is not None else ["no data.yaml and no classes.txt: classes are named 0, 1, ..."]
    listed = _listed(finder, data, notes)
    has_keypoints = data is not None and data.has_keypoints
    files = {image: _label_file(finder.root, image) for image, _ in listed}
    faults: list[str] = []
    lines: dict[str, list[_Line]] = {}
    damaged: dict[str, str] = {}
    for image, file in files.items():
        if file is not None:
            lines[image], damaged[image] = _read_labels(finder.root, file, has_keypoints, faults)
    if faults and not any(lines.values()):
        raise DataError(f"{source}: no label line can be read", details=faults[:3], hint="class cx cy w h, shares of 1")
    notes += faults
    first = _first_index(names, [line.index for found in lines.values() for line in found], notes)
    labelled = [image for image, found in lines.items() if found]
    sizes = dict(
        zip(labelled, for_each(_size_of, [finder.root / image for image in labelled], are_large=True), strict=True)
    )
    images = []
    for image, split in listed:
        where, size = files[image] or "", sizes.get(image)
        objects = () if size is None else tuple(_objects(size, where, lines[image], names, first, notes))
        images.append(FoundImage(finder.root / image, where, split, objects, damage=damaged.get(image, "")))
    return Found(tuple(images), tuple(name for name in names if name), tuple(notes))


def _root_of(folder: Path, data: YoloData | None) -> Path:
    """Return the folder that holds everything: that of the file, or the one inside it that `path` names."""
    if data is not None and data.path:
        inner = folder / data.path
        if is_folder(inner) and folder.resolve() in inner.resolve().parents:
            return inner
    return folder


def _listed(finder: ImageFinder, data: YoloData | None, notes: list[str]) -> list[tuple[str, str]]:
    """Return the images with their splits: as a file or lists say, else as the folders are called."""
    if data is not None and data.lists:
        return _in_lists(finder, data.lists, notes)
    if data is None or not data.splits:
        return [(name, split_of_path(name)) for name in finder.names]
    found: dict[tuple[str, str], None] = {}  # an image of two splits is passed on twice, and the checker decides
    for split, places in data.splits.items():
        images = [image for place in places for image in _of_place(finder, place, notes)]
        if not images:
            notes.append(f"{split}: no images in {', '.join(places)}"[:300])
        found |= dict.fromkeys((image, split) for image in images)
    if not found:
        raise DataError(
            f"{finder.root}: its data.yaml leads to no image",
            details=notes[-3:],
            hint="give the folder that its `path` means with --images, or correct its train and val",
        )
    return list(found)


def _in_lists(finder: ImageFinder, lists: Mapping[str, Path], notes: list[str]) -> list[tuple[str, str]]:
    """Return the images of darknet's lists with their splits; those in no list are noted."""
    found = dict.fromkeys((image, split) for split, file in lists.items() for image in _of_list(finder, file, notes))
    if not found:
        raise DataError(
            f"{finder.root}: none of the images in {', '.join(file.name for file in lists.values())} is there",
            details=notes[-3:],
            hint="name the folder of the images with --images, or correct the lists",
        )
    listed = {image for image, _ in found}
    others = [name for name in finder.names if name not in listed]
    if others:
        notes.append(f"{others[0][:100]}: in no list, not used; {len(others):,} such")
    return list(found)


def _of_place(finder: ImageFinder, place: str, notes: list[str]) -> list[str]:
    """Return the images of a folder or of a file of paths; its first folders may be those of another machine."""
    parts = [part for part in place.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    for start in range(len(parts) + 1):
        tail = "/".join(parts[start:])
        inner = finder.root / tail
        if tail.lower().endswith(".txt") and is_file(inner):
            return _of_list(finder, inner, notes)
        if is_folder(inner) and (tail or not parts):
            return [name for name in finder.names if not tail or name.startswith(f"{tail}/")]
    return []


def _of_list(finder: ImageFinder, file: Path, notes: list[str]) -> list[str]:
    where = file.relative_to(finder.root).as_posix() if file.is_relative_to(finder.root) else file.name
    try:
        names = [line.strip() for line in read_text(file).splitlines() if line.strip()]
    except DataError as error:
        notes.append(f"{where}: {error.message}")
        return []
    images = [(name, finder.find(name)) for name in names]
    missing = [name for name, image in images if image is None]
    if missing:
        notes.append(f"{where}: images not found: {len(missing):,}, the first {missing[0][:100]}")
    return [image for _, image in images if image is not None]


def _label_file(root: Path, image: str) -> str | None:
    """Return the label file of an image: below `labels` in place of the last `images`, else beside it; None if none."""
    parts = image.rpartition(".")[0].split("/")
    places = [
        [*parts[:index], "labels", *parts[index + 1 :]] for index, part in enumerate(parts[:-1]) if part == "images"
    ]
    for place in [*places[::-1], parts, ["labels", *parts]]:
        name = "/".join(place) + ".txt"
        if (root / name).is_file():
            return name
    return None


def _read_labels(root: Path, where: str, has_keypoints: bool, notes: list[str]) -> tuple[list[_Line], str]:
    """Return the lines of a label file that can be read, and why none can; those that cannot are noted."""
    try:
        text = read_text(root / where)
    except DataError as error:
        notes.append(f"{where}: {error.message}")
        return [], error.message
    lines, num_refused = [], 0
    for position, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            lines.append(_parse(line, has_keypoints=has_keypoints))
        except ValueError as error:
            num_refused += 1
            notes.append(f"{where}: line {position}: {error}")
    return lines, "no line of it can be read" if num_refused and not lines else ""


def _parse(line: str, *, has_keypoints: bool) -> _Line:
    """Return a label line.

    Raises:
        ValueError: it is none; why.
    """
    fields = line.split()
    values = [number(field) for field in fields]
    if None in values:
        raise ValueError(f"{fields[values.index(None)][:40]!r} is no number")
    numbers = [value for value in values if value is not None]
    if has_keypoints and len(numbers) > 5:
        numbers = numbers[:5]
    if len(numbers) == 6:
        raise ValueError("6 numbers: a prediction with a confidence? a label has class cx cy w h")
    if len(numbers) != 5 and (len(numbers) < 7 or len(numbers) % 2 == 0):
        raise ValueError(f"{len(numbers)} numbers, neither class cx cy w h nor class x1 y1 x2 y2 x3 y3 ...")
    if not numbers[0].is_integer():
        raise ValueError(f"the class {fields[0][:40]} is no index")
    large = [value for value in numbers[1:] if abs(value) > _MOST]
    if large:
        raise ValueError(f"{large[0]:g} is no share of the image: pixels? shares are between 0 and 1")
    return _Line(int(numbers[0]), tuple(numbers[1:]))


def _first_index(names: tuple[str, ...], indices: list[int], notes: list[str]) -> int:
    """Return the index of the first class: 1 where 0 never occurs and the index behind the last one does."""
    if names and indices and min(indices) >= 1 and max(indices) == len(names):
        notes.append(f"class indices run from 1 to {len(names)}, YOLO's from 0: read as from 1")
        return 1
    return 0


def _objects(
    size: Size, where: str, lines: list[_Line], names: tuple[str, ...], first: int, notes: list[str]
) -> Iterator[FoundObject]:
    """Yield the objects of an image of this width and height; those whose class has no name are noted."""
    unnamed = []
    for line in lines:
        index = line.index - first
        name = str(index) if not names and index >= 0 else names[index] if 0 <= index < len(names) else ""
        scaled = [share * size[at % 2] for at, share in enumerate(line.numbers)]
        if not name:
            unnamed.append(line.index)
        elif len(scaled) == 4:
            x, y, width, height = scaled
            yield FoundObject(name, (x - width / 2, y - height / 2, x + width / 2, y + height / 2))
        else:
            yield FoundObject(name, None, [scaled])
    if unnamed:
        found = ", ".join(map(str, dict.fromkeys(unnamed)))[:40]
        notes.append(f"{where}: class {found} of {len(names)}: has no name, skipped")


def _size_of(path: Path) -> Size | None:
    """Return width and height of an image as it is seen; None if it cannot be read, which the checker reports."""
    try:
        file = probe_image(path)
    except DataError:
        return None
    return file.width, file.height
