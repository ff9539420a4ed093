"""Unpaired images of two domains.

The source has `trainA`, `trainB`, `testA` and `testB`, or `A` and `B` below `train` and `test`; or it is any two
folders, of whose images a seeded fraction is the test split.

Each file is decoded. 8-bit grey or RGB files in PNG or JPEG are copied, others become PNG files of the same pixels.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dlcli.core.wording import printable
from dlcli.data.card import Card
from dlcli.data.domains.folders import SPLITS, find_domains
from dlcli.data.domains.form import no_domains
from dlcli.data.domains.writer import Placed, write_domains
from dlcli.data.images.folders import image_names
from dlcli.data.importing.preparing import Report
from dlcli.data.parts import stratified_part
from dlcli.data.walking import skipped_note
from dlcli.datasets.domains.options import DomainsOptions
from dlcli.datasets.domains.reading import (
    leak_notes,
    locate_folders,
    name_domains,
    read_files,
    require_both,
    shared_notes,
    single_notes,
    space_of,
)


class DomainsImporter:
    """Importer of two folders."""

    def __init__(self, options: DomainsOptions) -> None:
        self.options = options

    def locate(self, source: Path | None) -> list[Path]:
        """Return the folder of both domains, or those of `--a` and `--b`; see `locate_folders`."""
        return locate_folders(source, self.options, "domains")

    def space_needed(self, files: list[Path]) -> int:
        """Return roughly how many bytes the copies take."""
        return space_of(files)

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Check and copy every image, and return the card.

        Raises:
            DataError: there are no two domains, one has no image, more than `max_bad` files cannot be used, or all
                images of a domain are in the other one too.
        """
        classes, name = name_domains(files, self.options)
        layout = find_domains(files[0]) if len(files) == 1 else None
        if len(files) == 1 and layout is None:
            raise no_domains(files[0])
        folders = layout.folders if layout is not None else {"train": (files[0], files[1])}
        skipped: list[str] = []
        wanted = [
            (split, domain, place / found)
            for split, places in folders.items()
            for domain, place in enumerate(places)
            for found in image_names(place, skipped)
        ]
        report(f"{' and '.join(map(str, files))}: checking {len(wanted):,} files")
        found, notes = read_files([path for _, _, path in wanted], files[0], self.options.max_bad)
        items = [Placed(found[path], split, domain) for split, domain, path in wanted if path in found]
        require_both(items, folders["train"], [path for _, _, path in wanted if path not in found])
        items, split_notes = self._settle_test(items, classes)
        notes = [*(layout.notes() if layout is not None else ()), *skipped_note(skipped), *notes, *split_notes]
        notes += [*single_notes(items, classes), *shared_notes(items, classes), *leak_notes(items)]
        groups = [[item] for item in items]
        printed = [printable(note) for note in notes]
        return write_domains(groups, folder, name=name, classes=classes, paired=False, notes=printed)

    def _settle_test(self, items: list[Placed], classes: tuple[str, str]) -> tuple[list[Placed], list[str]]:
        """Return the images with a test split of both domains, or of none, and notes."""
        counts = {(split, domain): 0 for split in SPLITS for domain in (0, 1)}
        for item in items:
            counts[item.split, item.domain] += 1
        in_test = [counts["test", domain] for domain in (0, 1)]
        if all(in_test):
            return items, []
        if any(in_test):
            name = classes[in_test.index(0)]
            kept = [item for item in items if item.split == "train"]
            return kept, [f"the test split has no images of {name}: it is left out"]
        if min(counts["train", domain] for domain in (0, 1)) < 2:
            return items, ["no test split, since a domain has a single image"]
        labels = np.array([item.domain for item in items])
        is_test = stratified_part(labels, self.options.test_fraction, self.options.seed)
        return [
            replace(item, split="test") if test else item for item, test in zip(items, is_test.tolist(), strict=True)
        ], []
