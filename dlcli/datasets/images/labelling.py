"""Labels of images from their file names (`cat_12.png`) or from a CSV file, where no folder says the class.

| columns of the CSV | a row |
|---|---|
| `fn,label`, also `class`, `category`; or any two columns, files first | an image and its class, with blanks |
| `fn,clas`, also `classes`, `tags`, `labels` | an image and its classes, set apart by blanks, `,`, `;` or `\\|` |

Files are named relative to the folder, with or without their suffix. A column `split`, or fast.ai's `is_valid`, or the
folders train, valid and test say what is for the test. Nothing is guessed in silence: a row without its image, an image
without its row, and a name without a class are counted and named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dlcli.core.console import shorten
from dlcli.core.errors import DataError
from dlcli.core.wording import printable
from dlcli.data.annotated.folders import is_image_name, split_of_path
from dlcli.data.annotated.formats.places import ImageFinder
from dlcli.data.annotated.found import Found, FoundImage
from dlcli.data.images.folders import IMAGE_SUFFIXES
from dlcli.data.importing.names import check_class_names
from dlcli.data.labels import label_text
from dlcli.data.reading.delimited import Row, split_rows
from dlcli.data.reading.encodings import Encoding, detect_encoding, open_text
from dlcli.data.reading.lines import Lines
from dlcli.datasets.images.inspecting import Item

NAME = "name"
"""The value of `--labels-from` for file names."""

MAX_LABEL = 200
"""Characters of a label, at most."""

MAX_CLASSES = 10_000

_NUMBERED = re.compile(r"(.+?)[ _.-]+\(?\d+\)?")
_FILES = ("fn", "filename", "file_name", "fname", "file", "image", "image_name", "image_path", "path", "img", "id")
_CLASS = ("label", "class", "class_name", "category", "target", "breed")
_CLASSES = ("clas", "classes", "tags", "labels")
_SPLITS = {"train": "train", "val": "valid", "valid": "valid", "validation": "valid", "test": "test"}
_IS_VALID = {"true": "valid", "1": "valid", "false": "train", "0": "train"}
_MAX_NAMED = 20  # labels that the card names
_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class LabelledImage:
    """An image file with its labels; the split is "" where nothing says it."""

    path: Path
    labels: tuple[str, ...]
    split: str


@dataclass(frozen=True)
class Labelling:
    """The labels of the images of a folder.

    Attributes:
        images: those that have labels.
        has_several: whether an image may have any number of classes.
        bad: rows and images without a usable label, one line each.
        notes: what the user should know besides.
    """

    images: tuple[LabelledImage, ...]
    has_several: bool
    bad: tuple[str, ...]
    notes: tuple[str, ...] = ()


def labels_of_names(root: Path) -> Labelling:
    """Return the labels in the file names of the images below a folder: what stands before the last number.

    >>> [class_of_name(name) for name in ("cat_12.png", "dog.7.jpg", "great_pyrenees (3).jpg", "cat12.png", "7.png")]
    ['cat', 'dog', 'great_pyrenees', '', '']
    """
    images, bad = [], []
    for name in ImageFinder(root).names:
        label = class_of_name(name)
        if label:
            images.append(LabelledImage(root / name, (label,), split_of_path(name)))
        else:
            bad.append(f"{_shown(name)}: no class and number in its name, as in cat_12.png")
    return Labelling(tuple(images), has_several=False, bad=tuple(bad))


def class_of_name(name: str) -> str:
    """Return the class that a file name such as `cat_12.png` begins with; "" if it does not end in a number."""
    match = _NUMBERED.fullmatch(PurePosixPath(name).stem)
    label = match[1].strip(" _.-") if match else ""
    return label if len(label) <= MAX_LABEL and label.isprintable() else ""


def too_many_bad(labelling: Labelling, where: Path, max_bad: int) -> DataError:
    """Return the error about rows and images without a usable label."""
    return DataError(
        f"{where}: {_count(labelling.bad)} cannot be used, more than --max-bad {max_bad}",
        details=[entry[:300] for entry in labelling.bad[:2]],
        hint="correct them, or allow more with --max-bad",
    )


def items_of(labelling: Labelling, where: Path) -> tuple[list[str], list[Item], list[str]]:
    """Return the classes, the files with their classes and splits, and the notes; each image has one class.

    Images in no split are for training; a validation split beside which there is no test split is that.

    Args:
        labelling: the labels.
        where: the folder or file that they come from, for messages.

    Raises:
        DataError: there are none, or a class cannot be a folder name.
    """
    if not labelling.images:
        raise DataError(f"{where}: no image has a label", details=[entry[:300] for entry in labelling.bad[:2]])
    classes = sorted({image.labels[0] for image in labelling.images})
    check_class_names(classes, str(where))
    notes, splits = _notes(labelling), {image.split for image in labelling.images}
    renamed = {"": "train"}
    if "valid" in splits and "test" not in splits:
        notes.append("valid is the only other split: it is used as the test split")
        renamed["valid"] = "test"
    number = {name: index for index, name in enumerate(classes)}
    items = [
        Item(renamed.get(image.split, image.split), number[image.labels[0]], image.path) for image in labelling.images
    ]
    return classes, items, notes


def found_of(labelling: Labelling) -> Found:
    """Return the images in the form in which the readers of annotated images return them."""
    images = [FoundImage(image.path, "labels", image.split, tags=image.labels) for image in labelling.images]
    return Found(tuple(images), notes=tuple(_notes(labelling)))


def _notes(labelling: Labelling) -> list[str]:
    if not labelling.bad:
        return list(labelling.notes)
    skipped = [f"skipped {entry}"[:300] for entry in labelling.bad[:_MAX_NAMED]]
    return [*labelling.notes, f"{_count(labelling.bad)} cannot be used", *skipped]


def _count(bad: Sequence[str]) -> str:
    return "1 label" if len(bad) == 1 else f"{len(bad):,} labels"


@dataclass(frozen=True)
class _Columns:
    """The positions of columns, and whether the first row is a header."""

    file: int
    label: int
    is_plural: bool
    has_header: bool
    split: int | None = None
    is_valid: int | None = None


def labels_of_csv(path: Path, root: Path, max_bad: int) -> Labelling:
    """Return the labels that a CSV file gives the images below a folder; the file is streamed.

    Args:
        path: the file.
        root: the folder.
        max_bad: reading ends soon after so many rows without a usable label.

    Raises:
        DataError: it cannot be read, has no rows or too many labels, or its columns are not known.
    """
    encoding = detect_encoding(path)
    finder, bad = ImageFinder(root), []
    found: dict[str, tuple[list[str], str]] = {}
    known: set[str] = set()
    is_plural = False
    for row, columns in _rows(path, encoding):
        is_plural = columns.is_plural
        try:
            name, label, split = _read(row, columns, finder)
        except ValueError as error:
            bad.append(f"line {row.line:,}: {error}")
            if len(bad) > max_bad:
                break
            continue
        labels, own = found.setdefault(name, ([], split))
        if own != split:
            bad.append(f"line {row.line:,}: {_shown(name)} is in two splits: the first is used")
        words = [word for word in re.split(r"[\s,;|]+", label) if word] if is_plural else [label]
        labels += [word for word in words if word not in labels]
        known.update(words)
        if len(known) > MAX_CLASSES:
            raise DataError(f"{path}: more than {MAX_CLASSES:,} different labels", hint="is this the column of labels?")
    has_several = is_plural and any(len(labels) != 1 for labels, _ in found.values())
    contradictory = {name for name, (labels, _) in found.items() if not has_several and len(labels) > 1}
    bad += [f"{_shown(name)}: several classes, {_listed(found[name][0])}" for name in sorted(contradictory)]
    images = tuple(
        LabelledImage(root / name, tuple(labels), split)
        for name, (labels, split) in found.items()
        if name not in contradictory
    )
    doubt = [warning] if (warning := encoding.warning(path)) else []
    notes = [*doubt, *_words_note(known, is_plural), *_without_row([n for n in finder.names if n not in found], path)]
    return Labelling(images, has_several, tuple(bad), tuple(notes))


def _rows(path: Path, encoding: Encoding) -> Iterator[tuple[Row, _Columns]]:
    """Yield the rows of a CSV file with its columns, without the header and empty rows.

    Raises:
        DataError: it is empty, or its columns are not known.
    """
    with open_text(path, encoding=encoding) as stream:
        first = next(filter(str.strip, Lines(stream, str(path))), "")
    delimiter = next((character for character in _DELIMITERS if character in first), ",")
    columns: _Columns | None = None
    with open_text(path, encoding=encoding) as stream:
        for row in split_rows(Lines(stream, str(path)), delimiter):
            if not row.cells:
                continue
            if columns is None:
                columns = _columns_of(row.cells, path)
                if columns.has_header:
                    continue
            yield row, columns
    if columns is None:
        _columns_of((), path)


def _words_note(labels: Collection[str], is_plural: bool) -> list[str]:
    """Return the note that a label of several words is read as one class; none if there is no such label."""
    label = next((label for label in sorted(labels) if len(label.split()) > 1), None)
    if label is None or is_plural:
        return []
    return [f"{shorten(label, 60)!r} is read as one class; in a column named tags, each word is a class"]


def _without_row(names: Sequence[str], path: Path) -> list[str]:
    if not names:
        return []
    count = "1 image has" if len(names) == 1 else f"{len(names):,} images have"
    return [f"{count} no row in {path.name}: not used, the first: {_shown(names[0])}"]


def _columns_of(header: Sequence[str], path: Path) -> _Columns:
    """Return the columns by the first row of a file.

    Raises:
        DataError: it is empty, or its names are not known.
    """
    names = [cell.strip().casefold() for cell in header]
    at: Mapping[str, int] = {name: place for place, name in reversed(list(enumerate(names)))}
    if len(names) == 2 and is_image_name(names[0]):
        return _Columns(0, 1, is_plural=False, has_header=False)
    file = next((at[name] for name in _FILES if name in at), 0 if len(names) == 2 else None)
    plural = next((at[name] for name in _CLASSES if name in at), None)
    single = next((at[name] for name in _CLASS if name in at), None)
    label = single if single is not None else plural
    if label is None and len(names) == 2:
        label = 1 - (file or 0)
    if file is None or label is None or file == label:
        raise DataError(
            f"{path}: which columns hold the file and the label?",
            details=[f"it begins with: {shorten(','.join(header), 150)}"] if header else ["it is empty"],
            hint="the first row should name them: fn,label; or fn,tags where an image has several",
        )
    return _Columns(file, label, single is None and plural is not None, True, at.get("split"), at.get("is_valid"))


def _read(row: Row, columns: _Columns, finder: ImageFinder) -> tuple[str, str, str]:
    """Return the image's name relative to the folder, its label, and its split or "".

    Raises:
        ValueError: the row names no image of the folder, or has no usable label; why.
    """
    if row.fault:
        raise ValueError(row.fault)
    cells = row.cells
    if len(cells) <= max(columns.file, columns.label):
        raise ValueError(f"{len(cells)} columns")
    written, label = cells[columns.file].strip(), label_text(cells[columns.label])
    if not written:
        raise ValueError("no file name")
    names = (written, *(written + suffix for suffix in IMAGE_SUFFIXES))
    name = next((found for found in map(finder.find, names) if found is not None), None)
    if name is None:
        raise ValueError(f"no image {_shown(written)} in the folder")
    if (not label or label.casefold() == "nan") and not columns.is_plural:
        raise ValueError(f"{_shown(name)} has no label")
    if len(label) > MAX_LABEL * (10 if columns.is_plural else 1) or not label.isprintable():
        raise ValueError(f"{_shown(name)} has an invalid label, {label[:40]!r}")
    split = _cell(cells, columns.split, _SPLITS) or _cell(cells, columns.is_valid, _IS_VALID) or split_of_path(name)
    return name, label, split


def _cell(cells: Sequence[str], place: int | None, meanings: Mapping[str, str]) -> str:
    text = cells[place].strip().casefold() if place is not None and place < len(cells) else ""
    return meanings.get(text, "")


def _shown(name: str) -> str:
    return repr(shorten(printable(name), 100))


def _listed(names: Sequence[str]) -> str:
    return shorten(", ".join(names), 100)
