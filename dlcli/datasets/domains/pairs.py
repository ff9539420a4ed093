"""Pairs of images: side by side in one file (`A|B`, as in facades), or as files of equal names in two folders.

The left half, or the first folder, is the first domain. Where the source has splits, those are used; a validation split
is the test split where there is no other. Pairs of which one image is missing or damaged are left out and named.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.wording import printable
from dlcli.data.card import SPLIT_FOLDERS, Card
from dlcli.data.domains.folders import LETTERS, find_domains
from dlcli.data.domains.writer import MIN_SIDE, Placed, write_domains
from dlcli.data.images.folders import class_folders, image_names
from dlcli.data.importing.preparing import Report
from dlcli.data.parts import stratified_part
from dlcli.data.walking import skipped_note
from dlcli.datasets.domains.options import DomainsOptions
from dlcli.datasets.domains.reading import (
    counted,
    leak_notes,
    locate_folders,
    name_domains,
    read_files,
    shared_notes,
    space_of,
)

Pair = list[Placed]


class PairsImporter:
    """Importer of pairs."""

    def __init__(self, options: DomainsOptions) -> None:
        self.options = options

    def locate(self, source: Path | None) -> list[Path]:
        """Return the folder of the pairs, or those of `--a` and `--b`; see `locate_folders`."""
        return locate_folders(source, self.options, "pairs")

    def space_needed(self, files: list[Path]) -> int:
        """Return roughly how many bytes the images take; halves are written as PNG, in about three times the space."""
        return 3 * space_of(files)

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Check and write every pair, and return the card.

        Raises:
            DataError: there are no pairs, or more than `max_bad` files cannot be used.
        """
        classes, name = name_domains(files, self.options)
        skipped: list[str] = []
        places = _folders_of_domains(files)
        report(f"{' and '.join(map(str, files))}: checking the images of pairs")
        if places:
            pairs, notes = self._of_two_folders(places, files[0], skipped)
        else:
            pairs, notes = self._side_by_side(files[0], skipped)
        notes = [*skipped_note(skipped), *notes]
        if not any(pair[0].split == "train" for pair in pairs):
            raise DataError(
                f"{files[0]}: no pair of images for training",
                details=[*notes[:2], "looked for: images side by side, or equal names in A/ and B/"],
                hint="name the two folders with --a DIR --b DIR",
            )
        pairs, split_notes = self._settle_test(pairs)
        notes += [*split_notes, *_size_notes(pairs)]
        items = [each for pair in pairs for each in pair]
        notes += [*(shared_notes(items, classes) if places else ()), *leak_notes(items)]
        printed = [printable(note) for note in notes]
        return write_domains(pairs, folder, name=name, classes=classes, paired=True, notes=printed)

    def _of_two_folders(
        self, places: dict[str, tuple[Path, Path]], root: Path, skipped: list[str]
    ) -> tuple[list[Pair], list[str]]:
        """Return the pairs of files of equal names, whatever their suffixes, and notes on files without a partner."""
        matched: list[tuple[str, Path, Path]] = []
        alone: list[list[Path]] = [[], []]
        for split, (first, second) in places.items():
            by_stem = [_by_stem(place, skipped) for place in (first, second)]
            common = sorted(by_stem[0].keys() & by_stem[1].keys())
            matched += [(_split_of(stem) or split, by_stem[0][stem], by_stem[1][stem]) for stem in common]
            for own, rest in zip(by_stem, alone, strict=True):
                rest += [own[stem] for stem in sorted(own.keys() - set(common))]
        notes = [
            f"left out: {counted(len(paths), 'image')} of the {which} domain without a partner of the same name, "
            f"the first {paths[0].relative_to(root) if paths[0].is_relative_to(root) else paths[0]}"
            for which, paths in zip(("first", "second"), alone, strict=True)
            if paths
        ]
        paths = [path for _, *both in matched for path in both]
        found, bad_notes = read_files(paths, root, self.options.max_bad)
        pairs = [
            [Placed(found[first], split, 0), Placed(found[second], split, 1)]
            for split, first, second in matched
            if first in found and second in found
        ]
        return pairs, [*notes, *bad_notes]

    def _side_by_side(self, root: Path, skipped: list[str]) -> tuple[list[Pair], list[str]]:
        """Return the pairs of the halves of each image, and notes on images that have no two halves."""
        there = {name.casefold(): root / name for name in class_folders(root)}
        places = {split: there[name] for split, names in SPLIT_FOLDERS.items() for name in names if name in there} or {
            "train": root
        }
        wanted = [(split, place / name) for split, place in places.items() for name in image_names(place, skipped)]
        found, notes = read_files([path for _, path in wanted], root, self.options.max_bad)
        odd = [path for path, image in found.items() if image.width % 2 or image.width < 2 * MIN_SIDE]
        if len(odd) > self.options.max_bad or (odd and len(odd) == len(found)):
            width = found[odd[0]].width
            raise DataError(
                f"{root}: {counted(len(odd), 'image')} cannot be cut into two equal halves, "
                f"the first {printable(odd[0].name)}, {width} pixels wide",
                hint="two folders of equal names are read with --a DIR --b DIR",
            )
        if odd:
            first = odd[0].relative_to(root)
            notes.append(f"left out: {counted(len(odd), 'image')} without two equal halves, the first {first}")
        usable = [(split, found[path]) for split, path in wanted if path in found and path not in odd]
        return [[Placed(image, split, half, half) for half in (0, 1)] for split, image in usable], notes

    def _settle_test(self, pairs: list[Pair]) -> tuple[list[Pair], list[str]]:
        """Return the pairs with a test split, cut off where the source has none, and notes."""
        splits = {pair[0].split for pair in pairs}
        if "test" in splits:
            kept = [pair for pair in pairs if pair[0].split != "valid"]
            left_out = len(pairs) - len(kept)
            return kept, [f"the validation split is not used: {left_out:,} pairs"] if left_out else []
        if "valid" in splits:
            return [_in_split(pair, "test") if pair[0].split == "valid" else pair for pair in pairs], [
                "the validation split is used as the test split"
            ]
        if len(pairs) == 1:
            return pairs, ["no test split, since there is a single pair"]
        is_test = stratified_part(np.zeros(len(pairs)), self.options.test_fraction, self.options.seed).tolist()
        return [_in_split(pair, "test") if test else pair for pair, test in zip(pairs, is_test, strict=True)], []


def _folders_of_domains(files: list[Path]) -> dict[str, tuple[Path, Path]]:
    """Return split -> the folder of each domain; {} where the images lie side by side."""
    if len(files) == 2:
        return {"train": (files[0], files[1])}
    layout = find_domains(files[0])
    if layout is not None:
        return dict(layout.folders)
    if tuple(class_folders(files[0])) == LETTERS:
        return {"train": (files[0] / LETTERS[0], files[0] / LETTERS[1])}
    return {}


def _by_stem(folder: Path, skipped: list[str]) -> dict[str, Path]:
    """Return the images of a folder by their names without suffix, of which the first counts."""
    found: dict[str, Path] = {}
    for name in image_names(folder, skipped):
        stem = str(PurePosixPath(name).with_suffix(""))
        if stem in found:
            skipped.append(f"{folder / name}: another image has this name")
        found.setdefault(stem, folder / name)
    return found


def _split_of(stem: str) -> str:
    """Return the split that the first folder of a name means, as in `A/train/1.jpg`; "" for none."""
    first, slash, _ = stem.partition("/")
    return next((split for split, names in SPLIT_FOLDERS.items() if slash and first.casefold() in names), "")


def _in_split(pair: Pair, split: str) -> Pair:
    return [replace(each, split=split) for each in pair]


def _size_notes(pairs: list[Pair]) -> list[str]:
    differing = [pair for pair in pairs if pair[0].size != pair[1].size]
    if not differing:
        return []
    name = differing[0][0].image.path.name
    count = counted(len(differing), "pair")
    return [f"{count} of unequal sizes, the first {name}: the second image is brought to the size of the first"]
