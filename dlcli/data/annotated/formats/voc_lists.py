"""The lists of Pascal VOC's `ImageSets`: which image is in which split, and the classes of images without objects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.data.annotated.folders import base_name, stem_of

SPLIT_OF = {
    "train": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "test": "test",
    "trainval": "train",
}
"""Name of a list, in any case -> its split."""

_ORDER = ("test", "val", "valid", "validation", "train", "trainval")  # of several lists that which is measured counts
_BY_CLASS = re.compile(rf"(.+)_({'|'.join(SPLIT_OF)})", re.IGNORECASE)
_MAX_BYTES = 64 * 2**20
_WIDE = (b"\xff\xfe", b"\xfe\xff")  # byte order marks of UTF-16, which PowerShell's redirection writes
_KINDS = {"boxes": ("main",), "masks": ("segmentation",), "semantic": ("segmentation",)}


@dataclass(frozen=True)
class Lists:
    """What the lists say.

    Attributes:
        splits: stem of an image -> its name in the list, and its split.
        tags: stem of an image -> classes that it shows.
        has_tags: whether there are lists of classes.
        notes: the lists that are neither, one line.
    """

    splits: dict[str, tuple[str, str]]
    tags: dict[str, tuple[str, ...]]
    has_tags: bool = False
    notes: tuple[str, ...] = ()


def read_lists(root: Path, names: Sequence[str], task: str) -> Lists:
    """Return what the lists of a folder say.

    An image of several lists is in the split that is measured; one of `trainval` alone is in train. Images that only
    `ImageSets/Segmentation` lists are added to those of `ImageSets/Main`, whose splits come first.

    Args:
        root: the folder.
        names: its files, relative to it with "/".
        task: as in `Reading`.

    Raises:
        DataError: a list is larger than 64 MiB.
    """
    found, by_class, others = _lists_among(names)
    known = {stem_of(name.removesuffix(".xml")) for name in names}
    kinds = _KINDS.get(task, ("main", "segmentation"))
    kinds = kinds if any(found[kind] for kind in kinds) else ("main", "segmentation")
    splits: dict[str, tuple[str, str]] = {}
    for kind in kinds:
        for listed in (each for each in _ORDER if each in found[kind]):
            for line in (line for name in found[kind][listed] for line in _lines(root / name)):
                first = line.split(" ")[0]  # some tools write the image and its XML file in one line
                name = first if stem_of(line) not in known and stem_of(first) in known else line
                splits.setdefault(stem_of(name), (base_name(name), SPLIT_OF[listed]))
    notes: tuple[str, ...] = ()
    if others:
        notes = (f"{others[0]}: a list of no split and no class that is known, not used; {len(others):,} such",)
    return Lists(splits, _tags(root, by_class), bool(by_class), notes)


def _lists_among(names: Sequence[str]) -> tuple[dict[str, dict[str, list[str]]], list[tuple[str, str]], list[str]]:
    """Return the files that list the images of splits, by folder and name; those of classes, with the class; others."""
    found: dict[str, dict[str, list[str]]] = {"main": {}, "segmentation": {}}
    by_class: list[tuple[str, str]] = []
    others: list[str] = []
    for name in names:
        parts = name.split("/")
        if len(parts) < 3 or parts[-3] != "ImageSets" or not name.endswith(".txt"):
            continue
        stem, kind = parts[-1][: -len(".txt")], parts[-2].lower()
        match = _BY_CLASS.fullmatch(stem)
        if kind in found and stem.lower() in SPLIT_OF:
            found[kind].setdefault(stem.lower(), []).append(name)
        elif kind == "main" and match is not None:
            by_class.append((match[1], name))
        elif kind in found:
            others.append(name)
    return found, by_class, others


def _tags(root: Path, by_class: Sequence[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the classes of images: lines "id 1" show the class, "id 0" only a difficult one, "id -1" none."""
    tags: dict[str, dict[str, None]] = {}
    for name, path in by_class:
        for line in _lines(root / path):
            stem, _, value = line.rpartition(" ")
            if value == "1" and stem.strip():
                tags.setdefault(stem_of(stem), {})[name] = None
    return {stem: tuple(sorted(names)) for stem, names in tags.items()}


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError:
        return []
    if len(data) > _MAX_BYTES:  # images behind the end would silently change their split
        raise DataError(
            f"{path}: larger than {_MAX_BYTES // 2**20} MiB, which no list of images is",
            hint="a list holds the name of an image in each line; remove the file, or cut it up",
        )
    text = data.decode("utf-16" if data.startswith(_WIDE) else "utf-8-sig", "replace")
    return [line.strip().replace("\t", " ") for line in text.splitlines() if line.strip()]
