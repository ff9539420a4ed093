"""Boxes, or classes of whole images, in a CSV file: one row for each box, or one for each image.

| columns | a row | numbers |
|---|---|---|
| `filename,width,height,class,xmin,ymin,xmax,ymax` | one box | Pascal VOC's: pixels from 1, both inclusive |
| `image,x1,y1,x2,y2,label`, or these without a header | one box, or an image without any | points of the plane |
| `fn,bbox` (perhaps with `cat`) | an image, "y1 x1 y2 x2" for each box | pixels from 0, both inclusive |
| `fn,clas` | an image, its classes set apart by blanks | |

The first is what `xml_to_csv.py` of TensorFlow's tutorials writes, the second keras-retinanet's, the last two are those
of fast.ai's lessons. Where `xmin` or `ymin` is 0 somewhere, the numbers of the first are points of the plane.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.data.annotated.folders import split_of_path, split_of_word
from dlcli.data.annotated.formats.places import ImageFinder, number
from dlcli.data.annotated.found import Found, FoundImage, FoundObject, Reading
from dlcli.data.images.folders import IMAGE_SUFFIXES
from dlcli.data.reading.contents import open_bytes
from dlcli.data.reading.delimited import split_rows
from dlcli.data.reading.encodings import detect_encoding, marked_encoding
from dlcli.data.reading.lines import Lines

NAME = "boxes-csv"
SUMMARY = "a CSV file of boxes: filename,class,xmin,ymin,xmax,ymax; image,x1,y1,x2,y2,label; fn,bbox; or fn,clas"

UNNAMED = "object"
"""The class of boxes that have none."""

_FILE = ("fn", "filename", "file_name", "file", "image", "image_path", "path", "img")
_CLASS = ("class", "label", "class_name", "category", "cat", "name")
_TAGS = ("clas", "classes", "tags", "labels")
_CORNERS = (("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"))
_SPLITS = {"train": "train", "val": "valid", "valid": "valid", "validation": "valid", "test": "test"}
_HEAD_BYTES = 65536
_EXPECTED = f"expected one of: {SUMMARY.partition(': ')[2]}; each with a header"


@dataclass(frozen=True)
class _Columns:
    """Where a file has what: positions of cells, None for what it does not have."""

    file: int
    corners: tuple[int, ...] | None = None
    bbox: int | None = None
    label: int | None = None
    tags: int | None = None
    size: tuple[int, int] | None = None
    split: int | None = None
    is_voc: bool = False


@dataclass
class _Entry:
    """What the rows of one image say."""

    name: str
    annotation: str
    split: str
    size: tuple[int, int] | None = None
    objects: list[FoundObject] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


def matches(source: Path) -> bool:
    """Return whether this is a CSV file with known columns, or a folder with one of boxes in it.

    A folder with a list of classes may as well be one of images by class.
    """
    try:
        known = [columns for file in _files(source)[:3] if (columns := _columns_of(file)) is not None]
        return any(source.is_file() or columns.tags is None for columns in known)
    except (DataError, OSError):
        return False


def read(source: Path, options: Reading) -> Found:
    """Return the images and boxes of a CSV file, or of all CSV files of a folder (`train_labels.csv`, `test.csv`).

    Args:
        source: the file or the folder.
        options: `images` is the folder of the images, if they are not in that of the file or below it.

    Raises:
        DataError: there is no such file, or no row of it can be read.
    """
    files = _files(source)
    known = [(file, columns) for file in files if (columns := _columns_of(file)) is not None]
    if not known:
        raise DataError(f"{source}: no CSV file with known columns", details=_headers(files), hint=_EXPECTED)
    finder = ImageFinder(options.images or (source if source.is_dir() else source.parent))
    entries: dict[str, _Entry] = {}
    notes = [f"{file.name}: other columns: not read" for file in files if file not in {file for file, _ in known}]
    for file, columns in known:
        _read_file(file, columns, entries, notes)
    if not entries:
        raise DataError(f"{source}: no row can be read", details=notes[:3], hint=_EXPECTED)
    images = []
    for entry in entries.values():
        name = finder.find(entry.name)
        path = finder.missing(entry.name) if name is None else finder.root / name
        split = entry.split or split_of_path(entry.name.replace("\\", "/"))
        images.append(
            FoundImage(
                path, entry.annotation, split, tuple(entry.objects), entry.size, tuple(dict.fromkeys(entry.tags))
            )
        )
    return Found(tuple(images), notes=tuple(notes))


def _files(source: Path) -> list[Path]:
    return sorted(source.glob("*.csv")) if source.is_dir() else [source] if source.suffix.lower() == ".csv" else []


def _headers(files: Sequence[Path]) -> list[str]:
    return [f"{file.name} begins with: {','.join(next(_rows(file), (0, ()))[1])[:150]}" for file in files[:3]]


def _rows(path: Path, notes: list[str] | None = None) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield line numbers and cells of the rows of a CSV file; empty rows are left out and broken ones noted."""
    encoding = detect_encoding(path)
    if encoding.sample and notes is not None:
        notes.append(f"{path.name}: not UTF-8; read as {encoding.name}: {encoding.sample!r}")
    with open_bytes(path) as stream:
        text = io.TextIOWrapper(stream, encoding=encoding.codec)
        for row in split_rows(Lines(text, path.name), ","):
            if row.fault and notes is not None:
                notes.append(f"{path.name}: line {row.line}: {row.fault}")
            elif any(cell.strip() for cell in row.cells):
                yield row.line, row.cells


def _columns_of(path: Path) -> _Columns | None:
    """Return the columns of a file by its first row, or None if they are not known."""
    with open_bytes(path) as stream:
        head = stream.read(_HEAD_BYTES)
    encoding = marked_encoding(head)
    lines = head.decode(encoding.codec if encoding is not None else "utf-8", "replace").splitlines()
    first = next((row.cells for row in split_rows(lines, ",") if any(row.cells)), ())
    cells = [cell.strip().lower() for cell in first]
    if len(cells) == 6 and cells[0].endswith(IMAGE_SUFFIXES):  # keras-retinanet's, without a header
        return _Columns(0, (1, 2, 3, 4), label=5)
    at = {cell: position for position, cell in reversed(list(enumerate(cells)))}
    file, label = _first(at, _FILE), _first(at, _CLASS)
    if file is None:
        return None
    corners = next((tuple(at[name] for name in names) for names in _CORNERS if set(names) <= at.keys()), None)
    size = (at["width"], at["height"]) if {"width", "height"} <= at.keys() else None
    split = at.get("split")
    if corners is not None:
        return _Columns(file, corners, label=label, size=size, split=split, is_voc="xmin" in at)
    if "bbox" in at:
        return _Columns(file, bbox=at["bbox"], label=label if label is not None else _first(at, _TAGS), split=split)
    tags = _first(at, _TAGS)
    return _Columns(file, tags=tags, split=split) if tags is not None else None


def _first(at: Mapping[str, int], names: Sequence[str]) -> int | None:
    return next((at[name] for name in names if name in at), None)


def _read_file(path: Path, columns: _Columns, entries: dict[str, _Entry], notes: list[str]) -> None:
    """Add the images and boxes of a file; rows that cannot be read are noted."""
    rows = list(_rows(path, notes))
    has_header = not (rows[0][1][columns.file].strip().lower().endswith(IMAGE_SUFFIXES))
    rows = rows[has_header:]
    shift = 1.0 if columns.is_voc and not _has_zero(rows, columns) else 0.0
    if columns.is_voc:
        says = "pixels from 1, both inclusive, as in Pascal VOC" if shift else "points, since some are 0"
        notes.append(f"{path.name}: xmin, ymin, xmax, ymax are read as {says}")
    if columns.bbox is not None:
        notes.append(f"{path.name}: bbox is read as y1 x1 y2 x2 in pixels from 0, both inclusive")
    if columns.tags is None and columns.label is None:
        notes.append(f"{path.name}: no column of classes: all boxes are of the class {UNNAMED!r}")
    for line, cells in rows:
        try:
            _read_row(cells, columns, shift, path, entries)
        except ValueError as error:
            notes.append(f"{path.name}: line {line}: {error}"[:300])


def _has_zero(rows: Sequence[tuple[int, Sequence[str]]], columns: _Columns) -> bool:
    at = columns.corners or ()
    return any(number(cells[position]) == 0 for _, cells in rows for position in at[:2] if position < len(cells))


def _read_row(cells: Sequence[str], columns: _Columns, shift: float, path: Path, entries: dict[str, _Entry]) -> None:
    """Add what a row says of its image.

    Raises:
        ValueError: it says nothing that can be read; why.
    """

    def cell(position: int | None) -> str:
        return cells[position].strip() if position is not None and position < len(cells) else ""

    name = cell(columns.file)
    if not name:
        raise ValueError("no file name")
    objects = (
        list(_objects([cell(position) for position in columns.corners], cell(columns.label), columns, shift))
        if columns.corners is not None
        else list(_of_bbox(cell(columns.bbox), cell(columns.label), columns))
    )
    width, height = (number(cell(position)) for position in columns.size) if columns.size else (None, None)
    split = _SPLITS.get(cell(columns.split).lower(), "") or split_of_word(path.stem)
    entry = entries.setdefault(name, _Entry(name, path.name, split))
    if entry.split != split:
        raise ValueError(f"{name[:100]} is in {split or 'no split'} here, and in {entry.split or 'no split'} before")
    if width is not None and height is not None and math.isfinite(width + height):
        entry.size = (int(width), int(height))
    entry.objects += objects
    entry.tags += cell(columns.tags).split()


def _objects(corners: list[str], label: str, columns: _Columns, shift: float) -> Iterator[FoundObject]:
    """Yield the object of a row with four corners; none if all of them are empty (an image without objects).

    Raises:
        ValueError: a corner is no number, or the class is missing.
    """
    if not any(corners) and not label:
        return
    left, top, right, bottom = (_number(corner) for corner in corners)
    if columns.label is not None and not label:
        raise ValueError("a box without a class")
    yield FoundObject(label or UNNAMED, (left - shift, top - shift, right, bottom))


def _of_bbox(text: str, label: str, columns: _Columns) -> Iterator[FoundObject]:
    """Yield the objects of "y1 x1 y2 x2 ...", with a class for each of them, or one for all.

    Raises:
        ValueError: the numbers are not four for each box, or the classes do not fit them.
    """
    numbers = [_number(field) for field in re.split(r"[\s,;\[\]()]+", text) if field]
    if len(numbers) % 4:
        raise ValueError(f"bbox has {len(numbers)} numbers, not four for each box")
    count = len(numbers) // 4
    labels = [label] if count == 1 else label.split()
    if columns.label is None:
        labels = [UNNAMED] * count
    elif len(labels) == 1:
        labels *= count
    if count and (len(labels) != count or not all(labels)):
        raise ValueError(f"{count} boxes with {len(labels)} classes")
    for at, name in enumerate(labels[:count]):
        top, left, bottom, right = numbers[4 * at : 4 * at + 4]
        yield FoundObject(name, (left, top, right + 1, bottom + 1))


def _number(text: str) -> float:
    """Return a number, perhaps not finite.

    Raises:
        ValueError: it is none.
    """
    value = number(text)
    if value is None:
        raise ValueError(f"{text[:40]!r} is no number")
    return value
