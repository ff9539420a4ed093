"""The folders of two domains: which one holds the images of which domain in which split. No file is decoded.

Two layouts are known: `trainA`, `trainB`, `testA`, `testB`, as the datasets of CycleGAN have them, and `A/` and `B/`
below `train/` and `test/`. Other pairs of folders are two classes, for all that a folder says, and belong to "images by
class".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.data.card import SPLIT_FOLDERS
from dlcli.data.images.folders import class_folders, has_images
from dlcli.data.importing.names import check_class_names

SPLITS = ("train", "test")

LETTERS = ("A", "B")
"""The names of domains without better ones."""

_JOINED = re.compile(r"(train|test)[ _-]?([ab])", re.IGNORECASE)
_TRANSLATION = re.compile(r"([^\W\d_][^\d]*)2([^\W\d_][^\d]*)")


@dataclass(frozen=True)
class Layout:
    """How a folder of two domains is laid out.

    Attributes:
        folders: split -> the folder of the first domain and that of the second; "train" is always there.
        unused: names of the folders beside them.
    """

    folders: Mapping[str, tuple[Path, Path]]
    unused: tuple[str, ...] = ()

    def notes(self) -> list[str]:
        """Return what a user should know about folders that are not used."""
        if not self.unused:
            return []
        names = ", ".join(f"{name}/" for name in self.unused[:3])
        return [f"{names}{' and more' if len(self.unused) > 3 else ''}: not used"]


def find_domains(root: Path) -> Layout | None:
    """Return the folders of two domains in a folder; None if it has neither layout."""
    names = class_folders(root)
    found = _joined(root, names) or _nested(root, names)
    if not found:
        return None
    used = {folder for pair in found.values() for folder in pair}
    used |= {folder.parent for folder in used if folder.parent != root}
    return Layout(found, tuple(name for name in names if root / name not in used and has_images(root / name)))


def holds_domains(root: Path) -> bool:
    """Return whether a folder without a card holds images of two domains."""
    layout = find_domains(root)
    return layout is not None and any(has_images(folder) for folder in layout.folders["train"])


def domain_names(name: str) -> tuple[str, str]:
    """Return the names of the two domains in that of a folder, as in `apple2orange`; A and B if it has none."""
    match = _TRANSLATION.fullmatch(name)
    if match is not None:
        try:
            first, second = check_class_names(match.groups(), name)
        except DataError:
            return LETTERS
        return first, second
    return LETTERS


def _joined(root: Path, names: list[str]) -> dict[str, tuple[Path, Path]]:
    """Return the folders of `trainA`, `trainB`, `testA` and `testB`; {} without the first two."""
    there: dict[tuple[str, str], Path] = {}
    for name in names:
        match = _JOINED.fullmatch(name)
        if match is not None:
            there.setdefault((match[1].lower(), match[2].upper()), root / name)
    return _pairs(there)


def _nested(root: Path, names: list[str]) -> dict[str, tuple[Path, Path]]:
    """Return the folders of `A` and `B` below those of the splits; {} where there are other classes beside them."""
    splits = {name.casefold(): root / name for name in names}
    there: dict[tuple[str, str], Path] = {}
    for split in SPLITS:
        folder = next((splits[name] for name in SPLIT_FOLDERS[split] if name in splits), None)
        inner = class_folders(folder) if folder is not None else []
        if folder is not None and tuple(inner) == LETTERS:
            there.update({(split, letter): folder / letter for letter in inner})
        elif split == "train":
            return {}
    return _pairs(there)


def _pairs(there: Mapping[tuple[str, str], Path]) -> dict[str, tuple[Path, Path]]:
    pairs = {
        split: (there[split, "A"], there[split, "B"])
        for split in SPLITS
        if (split, "A") in there and (split, "B") in there
    }
    return pairs if "train" in pairs else {}
