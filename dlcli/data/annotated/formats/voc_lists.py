"""The lists of Pascal VOC's `ImageSets`: which image is in which split, and the classes of images without objects."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.data.annotated.folders import base_name, is_image_name, stem_of

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
_OWN_FOLDERS = ("annotations", "jpegimages")
_MAX_BYTES = 64 * 2**20
_WIDE = (b"\xff\xfe", b"\xfe\xff")  # byte order marks of UTF-16, which PowerShell's redirection writes
_KINDS = {"boxes": ("main",), "masks": ("segmentation",), "semantic": ("segmentation",)}


@dataclass(frozen=True)
class Lists:
    """What the lists say.

    Attributes:
        splits: key of an image -> its name in the list, and its split. The key is the stem of its name; where several
            files have that in different folders, the path as it is listed, and so is the name.
        tags: key of an image -> classes that it shows.
        has_tags: whether there are lists of classes.
        notes: the lists that are neither, one line.
    """

    splits: dict[str, tuple[str, str]]
    tags: dict[str, tuple[str, ...]]
    has_tags: bool = False
    notes: tuple[str, ...] = ()

    def tags_of(self, name: str) -> tuple[str, ...]:
        """Return the classes that an image shows: those of its path, else of the end of it, at last of its stem."""
        parts = path_of(name)
        keys = ("/".join([*parts[start:-1], stem_of(name)]) for start in range(len(parts)))
        return next((self.tags[key] for key in keys if key in self.tags), ())


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
    shared = _shared_stems(names)
    kinds = _KINDS.get(task, ("main", "segmentation"))
    kinds = kinds if any(found[kind] for kind in kinds) else ("main", "segmentation")
    splits: dict[str, tuple[str, str]] = {}
    for kind in kinds:
        for listed in (each for each in _ORDER if each in found[kind]):
            for line in (line for name in found[kind][listed] for line in _lines(root / name)):
                first = line.split(" ")[0]  # some tools write the image and its XML file in one line
                name = first if stem_of(line) not in known and stem_of(first) in known else line
                shown = "/".join(path_of(name)) if stem_of(name) in shared else base_name(name)
                splits.setdefault(_key_of(name, shared), (shown, SPLIT_OF[listed]))
    notes: tuple[str, ...] = ()
    if others:
        notes = (f"{others[0]}: a list of no split and no class that is known, not used; {len(others):,} such",)
    return Lists(splits, _tags(root, by_class, shared), bool(by_class), notes)


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


def path_of(name: str) -> list[str]:
    """Return the parts of a listed path, without what leads out of its folder, and without VOC's own folders."""
    parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".", "..")]
    return parts[1:] if len(parts) > 1 and parts[0].lower() in _OWN_FOLDERS else parts


def _key_of(name: str, shared: Set[str]) -> str:
    """Return the key of a listed image: its stem, or its path where files in several folders have that stem."""
    stem = stem_of(name)
    return "/".join([*path_of(name)[:-1], stem]) if stem in shared else stem


def _shared_stems(names: Sequence[str]) -> set[str]:
    """Return the stems that several XML files, or several photos, have."""
    xml = Counter(stem_of(name[: -len(".xml")]) for name in names if name.lower().endswith(".xml"))
    photos = Counter(stem_of(name) for name in names if is_image_name(name) and not is_map_name(name))
    return {stem for counts in (xml, photos) for stem, count in counts.items() if count > 1}


def is_map_name(name: str) -> bool:
    """Return whether an image is in a folder of label maps."""
    return any(part.startswith("segmentation") for part in name.lower().split("/")[:-1])


def _tags(root: Path, by_class: Sequence[tuple[str, str]], shared: Set[str]) -> dict[str, tuple[str, ...]]:
    """Return the classes of images: lines "id 1" show the class, "id 0" only a difficult one, "id -1" none."""
    tags: dict[str, dict[str, None]] = {}
    for name, path in by_class:
        for line in _lines(root / path):
            stem, _, value = line.rpartition(" ")
            if value == "1" and stem.strip():
                tags.setdefault(_key_of(stem.strip(), shared), {})[name] = None
    return {key: tuple(sorted(names)) for key, names in tags.items()}


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
