"""The folders of the form "images by class": lists splits, classes and image files without decoding any file.

`dl prepare`, `dl train`, `dl predict`, `dl doctor` and `dl visualize` read a folder by the same rules. Images may lie
in subfolders of their class, as in torchvision's ImageFolder. A file is an image by its suffix; a file without a known
suffix, by its first bytes. Files of formats that cannot be decoded are listed too, so that they are reported.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.data.card import SPLIT_FOLDERS
from dlcli.data.walking import is_around, is_folder, list_files, walk_folders

IMAGE_SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
FOREIGN_SUFFIXES = (".gif", ".heic", ".heif", ".avif", ".jp2", ".jxl")
"""Formats that are not decoded."""

_KNOWN_SUFFIXES = (*IMAGE_SUFFIXES, *FOREIGN_SUFFIXES)

_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF87a", b"GIF89a")
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # sizes of the header that follows the 14 bytes of every BMP


@dataclass(frozen=True)
class Layout:
    """How a folder of images by class is laid out.

    Attributes:
        splits: split -> folder of its class folders; the folder itself as the training split if it has no splits.
        unlabelled: split -> folder that has the name of a split and images, but no class folders.
        unused: names of the folders beside the splits, which are in no split.
    """

    splits: dict[str, Path]
    unlabelled: dict[str, Path]
    unused: tuple[str, ...] = ()

    def notes(self) -> list[str]:
        """Return what a user should know about folders that are left out."""
        notes = [f"{folder.name}/ has images, but no class folders: not used" for folder in self.unlabelled.values()]
        if self.unused:
            what = f"{self.unused[0]}/ is" if len(self.unused) == 1 else f"{', '.join(self.unused[:3])} ... are"
            notes.append(f"{what} beside {self.splits['train'].name}/, so in no split: not used")
        return notes


def find_layout(root: Path) -> Layout:
    """Return the split folders of a folder.

    A folder called like a split is one only if it has class folders; otherwise it is a class, as `train/` beside `bus/`
    and `car/`. If all folders are called like splits, none of them is a class.
    """
    there = {name.casefold(): root / name for name in class_folders(root)}
    named = {split: there[name] for split, names in SPLIT_FOLDERS.items() for name in names[::-1] if name in there}
    others = sorted(set(there) - {name for names in SPLIT_FOLDERS.values() for name in names})
    if not named or ("train" not in named and others):
        return Layout({"train": root}, {})
    by_class = {split: folder for split, folder in named.items() if _has_classes(folder)}
    if others and ("train" not in by_class or _is_class_beside(named["train"], [there[name] for name in others])):
        return Layout({"train": root}, {})
    splits = by_class or named
    unlabelled = {split: folder for split, folder in named.items() if split not in splits and has_images(folder)}
    unused = tuple(there[name].name for name in others if has_images(there[name]))
    return Layout(splits, unlabelled, unused if "train" in splits else ())


def _has_classes(folder: Path) -> bool:
    return any(has_images(folder / name) for name in class_folders(folder))


def _is_class_beside(folder: Path, others: Sequence[Path]) -> bool:
    """Return whether images lie directly in the folder as they do in the others: it is a class, with subfolders."""
    return _has_own_images(folder) and any(_has_own_images(other) for other in others)


def _has_own_images(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(entry.name.lower().endswith(IMAGE_SUFFIXES) for entry in entries if not entry.name.startswith("."))


def holds_images(root: Path) -> bool:
    """Return whether a folder holds images by class, with or without folders for the splits."""
    return any(_has_classes(folder) for folder in find_layout(root).splits.values())


def class_folders(folder: Path, skipped: list[str] | None = None) -> list[str]:
    """Return the names of the class folders, sorted, without hidden ones; a folder with several links to it once.

    Args:
        folder: the folder around them.
        skipped: gets a line for each broken link, loop of links, and second link to a class.
    """
    skipped = [] if skipped is None else skipped
    top = os.path.realpath(folder)
    with os.scandir(folder) as entries:
        found = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: (e.is_symlink(), e.name))
    names: dict[str, str] = {}
    for entry in found:
        if is_folder(entry, skipped):
            real = os.path.realpath(entry.path) if entry.is_symlink() else f"{top}{os.sep}{entry.name}"
            if is_around(real, top):
                skipped.append(f"{entry.path}: a link to a folder around it")
            elif real in names:
                skipped.append(f"{entry.path}: a link to the folder {names[real]!r} beside it")
            else:
                names[real] = entry.name
    return sorted(names.values())


def image_names(folder: Path, skipped: list[str] | None = None, others: list[str] | None = None) -> list[str]:
    """Return the image files of a class folder, relative to it with `/`, sorted; none if there is no folder.

    Args:
        folder: the folder of a class; its subfolders belong to the class.
        skipped: gets a line for each entry that cannot be read (see `dlcli.data.walking`).
        others: gets the path of each file that is not an image.
    """
    names = []
    for name in list_files(folder, [] if skipped is None else skipped):
        if name.lower().endswith(_KNOWN_SUFFIXES) or _starts_like_an_image(f"{folder}{os.sep}{name}"):
            names.append(name)
        elif others is not None:
            others.append(f"{folder}{os.sep}{name}")
    return names


def has_images(folder: Path) -> bool:
    """Return whether there is an image in a folder or below it; the search ends at the first folder with one."""
    return any(
        is_image(f"{folder}{os.sep}{prefix}{name}")
        for prefix, _, files, links in walk_folders(folder, [])
        for name in (*files, *(link for link, _ in links))
    )


def is_image(path: str) -> bool:
    """Return whether a file is an image: by its suffix, else by its first bytes."""
    return path.lower().endswith(_KNOWN_SUFFIXES) or _starts_like_an_image(path)


def _starts_like_an_image(path: str) -> bool:
    try:
        with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - a Path for each of 100,000 files takes a second
            head = stream.read(32)
    except OSError:
        return False
    return (
        head.startswith(_SIGNATURES)
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[:2] == b"BM" and len(head) >= 18 and int.from_bytes(head[14:18], "little") in _BMP_HEADERS)
        or (head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace() and head[2:3] != b"")
        or (head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"avif"))
    )
