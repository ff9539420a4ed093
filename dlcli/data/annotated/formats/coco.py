"""COCO's instances: JSON files of images, annotations and categories beside folders of images.

Sources: cocodataset.org, "Data format"; VOC's annotations in this form (`pascal_train2007.json`) mark difficult objects
by `ignore`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dlcli.core.console import shorten
from dlcli.core.errors import DataError
from dlcli.core.wording import printable
from dlcli.data.annotated.coco_json import ANNOTATION_KEYS
from dlcli.data.annotated.folders import (
    ImageIndex,
    base_name,
    is_image_name,
    read_json,
    split_of_path,
    split_of_word,
)
from dlcli.data.annotated.found import Found, FoundImage, FoundObject, Reading
from dlcli.data.walking import list_files

NAME = "coco"
SUMMARY = "COCO: annotations/instances_*.json and folders of images"

_PEEKED_BYTES = 65536
_MAX_FILES = 50  # JSON files that `matches` looks into
_MAX_TEXT = 300


def matches(source: Path) -> bool:
    """Return whether this is a JSON file of COCO's kind, or a folder that has one in itself or one level below."""
    try:
        candidates = [source] if source.is_file() else list(itertools.islice(_json_files(source), _MAX_FILES))
    except OSError:
        return False
    return any(map(_looks_like_coco, candidates))


def _json_files(folder: Path) -> Iterator[Path]:
    """Yield the JSON files in a folder and in the folders directly below it."""
    yield from sorted(folder.glob("*.json"))
    for below in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))[:100]:
        yield from sorted(below.glob("*.json"))


def _looks_like_coco(path: Path) -> bool:
    """Return whether a file is an object with COCO's three lists, by its beginning and its end."""
    try:
        with path.open("rb") as stream:
            text = stream.read(_PEEKED_BYTES)
            size = stream.seek(0, 2)
            stream.seek(max(_PEEKED_BYTES, size - _PEEKED_BYTES))
            text += stream.read(_PEEKED_BYTES)
    except OSError:
        return False
    if not text.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return False
    keys = [key in text for key in (b'"images"', b'"annotations"', b'"categories"')]
    return sum(keys) >= 2 and (b'"file_name"' in text or b'"image_id"' in text)


def read(source: Path, options: Reading) -> Found:
    """Return the images that JSON files describe.

    Args:
        source: a folder, or one JSON file.
        options: `images` if the images are elsewhere.

    Raises:
        DataError: there is no such file, or it is damaged as a whole.
    """
    if not source.exists():
        raise DataError(f"{source}: no such file or folder")
    root = source.parent if source.is_file() else source
    files = [source] if source.is_file() else _chosen(root)
    if not files:
        raise DataError(
            f"{source}: no annotations of COCO",
            details=["looked for: annotations/instances_*.json, or a JSON file with images, annotations, categories"],
            hint="name the folder that holds them, or the JSON file",
        )
    images_root = options.images or root
    index = ImageIndex(images_root, [name for name in list_files(images_root, []) if is_image_name(name)])
    readers = [_File(path, root, index, images_root, is_alone=len(files) == 1) for path in files]
    images = tuple(image for reader in readers for image in reader.images())
    classes = tuple(dict.fromkeys(name for reader in readers for name in reader.names.values()))
    return Found(images, classes, tuple(note for reader in readers for note in reader.notes()))


def _chosen(root: Path) -> list[Path]:
    """Return the JSON files to read: the instances, not the captions and keypoints of the same images."""
    found = [path for path in _json_files(root) if _looks_like_coco(path)]
    named = [path for path in found if path.stem.startswith("instances")]
    return named or [path for path in found if not path.stem.startswith(("captions", "person_keypoints", "image_info"))]


class _File:
    """One JSON file; `names` are the class names by category id, in the order of ids."""

    def __init__(self, path: Path, root: Path, index: ImageIndex, images_root: Path, *, is_alone: bool) -> None:
        self._path, self._index, self._images_root = path, index, images_root
        value = read_json(path)
        if not isinstance(value, dict) or not all(
            isinstance(value.get(key), list) for key in ("images", "annotations")
        ):
            raise DataError(f"{path}: not COCO's annotations: no lists 'images' and 'annotations'")
        self._value = value
        self._counts: dict[str, list[Any]] = {}
        self.names = self._categories(value.get("categories"))
        near = path.stem.removeprefix("instances_")
        relative = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        self._near = f"{relative.rpartition('/')[0]}/{near}/x"
        self._split = split_of_path(relative) or split_of_word(near)
        self._is_alone = is_alone

    def _categories(self, rows: Any) -> dict[Any, str]:
        if not isinstance(rows, list):
            raise DataError(f"{self._path}: no list 'categories'")
        names: dict[Any, str] = {}
        for row in rows:
            key = _key(row.get("id")) if isinstance(row, dict) else None
            if key is None:
                self._note("categories without an id", row)
            else:
                names.setdefault(key, str(row.get("name", key))[:_MAX_TEXT])
        return dict(sorted(names.items(), key=lambda pair: (isinstance(pair[0], str), pair[0])))

    def _note(self, what: str, example: Any) -> None:
        self._counts.setdefault(what, []).append(shorten(printable(str(example)), 60))

    def notes(self) -> list[str]:
        """Return a line for each kind of entry that could not be passed on."""
        return [
            f"{self._path.name}: {what}, left out: {len(found):,}, the first {found[0]}"
            for what, found in self._counts.items()
        ]

    def images(self) -> list[FoundImage]:
        """Return the images in their order."""
        rows: dict[Any, Mapping[str, Any]] = {}
        for row in self._value["images"]:
            key = _key(row.get("id")) if isinstance(row, dict) and isinstance(row.get("file_name"), str) else None
            if key is None:
                self._note("images without an id or a file_name", row)
            elif key in rows:
                self._note("images whose id another one has", row["file_name"])
            else:
                rows[key] = row
        objects: dict[Any, list[FoundObject]] = {key: [] for key in rows}
        for row in self._value["annotations"]:
            key = _key(row.get("image_id")) if isinstance(row, dict) else None
            if key not in objects:
                self._note("annotations of unknown images", row.get("id") if isinstance(row, dict) else row)
                continue
            name = self.names.get(_key(row.get("category_id")))
            if name is None:
                self._note("annotations of unknown categories", row.get("category_id"))
            else:
                objects[key].append(_object(row, name))
        return [self._image(row, tuple(objects[key])) for key, row in rows.items()]

    def _image(self, row: Mapping[str, Any], objects: tuple[FoundObject, ...]) -> FoundImage:
        name = row["file_name"]
        path = self._index.find(name, self._near) or self._images_root / (base_name(name).strip(".") or "unnamed")
        size = (_side(row.get("width")), _side(row.get("height"))) if "width" in row and "height" in row else None
        tags = row.get("tags")
        found_tags = [self.names.get(_key(tag)) for tag in tags] if isinstance(tags, list) else []
        label_map, group = row.get("label_map"), row.get("group", "")
        return FoundImage(
            path,
            self._path.name,
            self._split or split_of_path(name.replace("\\", "/")),
            objects,
            size,
            tuple(tag for tag in found_tags if tag is not None),
            self._inside(label_map) if isinstance(label_map, str) and label_map else None,
            group=group if isinstance(group, str) else "",
        )

    def _inside(self, name: str) -> Path | None:
        """Return a file's path in the folder of the images; None if it leads out of it."""
        path = self._images_root / name
        return path if path.resolve().is_relative_to(self._images_root.resolve()) else None


def _key(value: Any) -> int | float | str | None:
    """Return an id as a key: 7, 7.0 and "7" are one; None for what is no id."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else value if math.isfinite(value) else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value


def _side(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and 0 < value < 1e9 else 0


def _object(row: Mapping[str, Any], name: str) -> FoundObject:
    segmentation = row.get("segmentation")
    extra = {key: value for key, value in row.items() if key not in ANNOTATION_KEYS and _is_plain(value)}
    if "area" in row:
        extra["area"] = row["area"]
    is_mask = isinstance(segmentation, (list, dict)) and bool(segmentation)
    return FoundObject(
        name,
        _corners(row.get("bbox")),
        segmentation if is_mask else None,
        row.get("iscrowd") in (1, True, "1"),
        row.get("ignore") in (1, True) or row.get("difficult") in (1, True),
        extra,
    )


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _MAX_TEXT
    return isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value))


def _corners(values: Any) -> tuple[float, float, float, float] | None:
    """Return left, top, right, bottom of x, y, width, height; not finite if they are no numbers."""
    if values is None or values == []:
        return None
    try:
        left, top, across, down = (_number(value) for value in values)
    except (TypeError, ValueError):
        return math.nan, math.nan, math.nan, math.nan
    return left, top, left + across, top + down


def _number(value: Any) -> float:
    try:
        return float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        return math.nan
