"""Reading the form "domains": images of two domains, `train/<A>/*`, `train/<B>/*`, `test/<A>/*`, `test/<B>/*`.

The card's classes are the two domains, and its detail `paired` says whether files of one name, whatever their suffix,
show the same scene. A user's own folder without a card is read as it is (see `folders`), as unpaired.

If a prepared folder and its card differ, those files count that are there, with a warning on the card in memory; of
pairs, those of which both are there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.registry import how_to_prepare
from dlcli.core.wording import printable
from dlcli.data.card import CARD_NAME, Card, card_of, require_form
from dlcli.data.domains.folders import SPLITS, domain_names, find_domains
from dlcli.data.images.decoding import read_image
from dlcli.data.images.folders import image_names
from dlcli.data.walking import skipped_note

FORM = "domains"

Names = tuple[tuple[str, ...], tuple[str, ...]]
"""The sorted file names of the first domain and of the second; of pairs, both in the same order."""


@dataclass(frozen=True)
class DomainsForm:
    """A folder of images of two domains.

    Attributes:
        root: the folder.
        card: its card; made in memory if the folder has none. `classes` are the names of the two domains.
        folders: split -> the folder of the first domain and that of the second.
        names: split -> the names of the files in them.
        is_prepared: whether the folder has a card.
    """

    root: Path
    card: Card
    folders: Mapping[str, tuple[Path, Path]]
    names: Mapping[str, Names]
    is_prepared: bool

    @property
    def is_paired(self) -> bool:
        """Whether item k of both domains shows the same scene."""
        return bool(self.card.details["paired"])

    def splits(self) -> tuple[str, ...]:
        """Return the existing splits among "train" and "test", in this order."""
        return tuple(self.folders)

    def files(self, split: str, domain: int) -> list[Path]:
        """Return the image files of a domain, sorted by name.

        Args:
            split: "train" or "test".
            domain: 0 for the first, 1 for the second.

        Raises:
            DataError: there is no such split.
        """
        if split not in self.folders:
            raise DataError(f"{self.root}: has no split {split!r}", hint=f"it has: {', '.join(self.folders)}")
        folder = self.folders[split][domain]
        return [folder / name for name in self.names[split][domain]]

    def read(self, path: Path) -> np.ndarray:
        """Return an image, (H, W, 3) uint8 RGB.

        Raises:
            DataError: it cannot be read.
        """
        return read_image(path, channels=3)


def open_domains(folder: Path) -> DomainsForm:
    """Return the reader of a prepared dataset, or of a user's own folder of two domains.

    Raises:
        DataError: the folder is missing, holds no two domains, a domain has no training image, or the folder does not
            fit its card.
    """
    card = card_of(folder, FORM)
    return _open_own(folder) if card is None else _open_prepared(folder, card)


def matched(first: tuple[str, ...], second: tuple[str, ...]) -> Names:
    """Return the names of files that both domains have, whatever their suffixes, in the same order."""
    by_stem = [{str(PurePosixPath(name).with_suffix("")): name for name in names} for names in (first, second)]
    common = sorted(by_stem[0].keys() & by_stem[1].keys())
    return tuple(by_stem[0][stem] for stem in common), tuple(by_stem[1][stem] for stem in common)


def _open_prepared(root: Path, card: Card) -> DomainsForm:
    again = f"prepare the data again: {card.command or how_to_prepare(card.name, FORM)}"
    require_form(card, root, FORM, "images of two domains")
    is_paired = card.details.get("paired")
    if len(card.classes) != 2 or not isinstance(is_paired, bool) or not _is_size(card.details.get("image_size")):
        raise DataError(f"{root / CARD_NAME}: not a card of two domains", hint=again)
    folders, names, counts, warnings = {}, {}, {}, []
    for split in (split for split in SPLITS if split in card.counts):
        first, second = (root / split / name for name in card.classes)
        missing = [folder for folder in (first, second) if not folder.is_dir()]
        if missing:
            raise DataError(f"{missing[0]}: the card names this folder, but it is missing", hint=again)
        folders[split] = (first, second)
        there = (tuple(image_names(first)), tuple(image_names(second)))
        names[split] = matched(*there) if is_paired else there
        counts[split] = {name: len(found) for name, found in zip(card.classes, names[split], strict=True)}
        if counts[split] != {name: card.counts[split].get(name) for name in card.classes}:
            before, now = card.num_items(split), sum(counts[split].values())
            what = "in pairs, " if is_paired else ""
            warnings.append(f"{split}: {now:,} images found, {what}{before:,} were prepared; those found are used")
    _require_images(root, folders, names, again)
    recounted = dataclasses.replace(card, counts=counts, warnings=(*card.warnings, *warnings))
    return DomainsForm(root, recounted, folders, names, is_prepared=True)


def _is_size(value: object) -> bool:
    """Return whether a card's value is a height and a width, or None."""
    return value is None or (
        isinstance(value, list) and len(value) == 2 and all(type(n) is int and n > 0 for n in value)
    )


def _open_own(root: Path) -> DomainsForm:
    layout = find_domains(root)
    if layout is None:
        raise no_domains(root)
    skipped: list[str] = []
    names: dict[str, Names] = {}
    for split, (first, second) in layout.folders.items():
        names[split] = (tuple(image_names(first, skipped)), tuple(image_names(second, skipped)))
    _require_images(root, layout.folders, names, "put images of the domain into it")
    notes = [*layout.notes(), *skipped_note(skipped)]
    folders = dict(layout.folders)
    if "test" in names and not all(names["test"]):
        empty = next(folder for folder, found in zip(folders["test"], names["test"], strict=True) if not found)
        notes.append(f"{empty.relative_to(root)}/ has no images: there is no test split")
        del folders["test"], names["test"]
    name = printable(root.resolve().name)
    classes = domain_names(name)
    counts = {
        split: {name: len(found) for name, found in zip(classes, lists, strict=True)} for split, lists in names.items()
    }
    details = {"paired": False, "channels": 3, "image_size": None}
    card = Card(FORM, name, classes, counts, details=details, warnings=tuple(map(printable, notes)))
    return DomainsForm(root, card, folders, names, is_prepared=False)


def _require_images(
    root: Path, folders: Mapping[str, tuple[Path, Path]], names: Mapping[str, Names], hint: str
) -> None:
    """Raise a DataError if a domain has no training image."""
    if "train" not in names:
        raise DataError(f"{root}: has no split 'train'", hint=hint)
    for folder, found in zip(folders["train"], names["train"], strict=True):
        if not found:
            raise DataError(f"{printable(str(folder))}: no images, and training needs some of both domains", hint=hint)


def no_domains(root: Path) -> DataError:
    """Return the error for a folder without two domains, which says what was looked for."""
    return DataError(
        f"{root}: no images of two domains",
        details=["looked for: trainA/ and trainB/, or train/A/ and train/B/"],
        hint="name two folders of images: dl prepare domains --a DIR --b DIR",
    )
