"""Annotated images in any format of `dlcli.data.annotated.formats`.

Splits are the source's. Images that it says nothing of are for training; where there is no other split, a seeded part
of them, by their rarest classes, is the test split. As for images by class, a validation split without a test split
becomes the test split, and training cuts a validation part of its own.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.data.annotated.checking import check
from dlcli.data.annotated.form import read_prepared
from dlcli.data.annotated.formats.table import get_format
from dlcli.data.annotated.formats.texts import WRITERS
from dlcli.data.annotated.found import Reading
from dlcli.data.annotated.splitting import with_test_part
from dlcli.data.annotated.writer import write_annotated
from dlcli.data.card import Card
from dlcli.data.importing.preparing import Report
from dlcli.data.walking import list_files
from dlcli.datasets.annotated.options import AnnotatedOptions


class AnnotatedImporter:
    """Importer of one format."""

    def __init__(self, options: AnnotatedOptions, format_name: str) -> None:
        self.options = options
        self._format = get_format(format_name)

    def locate(self, source: Path | None) -> list[Path]:
        """Return the source, and the folder of the images if that is another one.

        Raises:
            DataError: one of them does not exist.
        """
        if source is None:
            raise DataError(f"{self._format.NAME} needs a SOURCE: {self._format.SUMMARY}")
        if not source.exists():
            raise DataError(f"{source}: no such file or folder", hint=f"SOURCE is {self._format.SUMMARY}")
        if self.options.images is None:
            return [source]
        images = Path(self.options.images)
        if not images.is_dir():
            raise DataError(f"{images}: no such folder", hint="--images names the folder of the images")
        return [source, images]

    def space_needed(self, files: list[Path]) -> int:
        """Return roughly how many bytes the copies take."""
        folders = [path if path.is_dir() else path.parent for path in files]
        return sum((folder / name).stat().st_size for folder in folders for name in list_files(folder, []))

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Read, check and split the source, write the form, and return its card.

        Raises:
            DataError: nothing in it can be used, or the format of `--to` cannot hold it.
        """
        source, images = files[0], files[1] if len(files) > 1 else None
        task = "" if self.options.annotations == "all" else self.options.annotations
        found = self._format.read(source, Reading(images, task))
        report(f"{source}: checking {len(found.images):,} images")
        checked = check(found, source, with_digests=True)
        writer = WRITERS.get(self.options.to)
        if writer is not None and writer.require_writable is not None:  # before the images are copied
            writer.require_writable((image for of in checked.images.values() for image in of), checked.classes)
        checked = with_test_part(checked, self.options.test_fraction, self.options.seed)
        name = source.resolve().stem if source.is_file() else source.resolve().name
        card = write_annotated(checked, folder, name)
        if writer is not None:
            writer.write(read_prepared(folder, card), folder)
        if self.options.annotations == "semantic" and {"label_maps", "masks"} & set(card.details["has"]):
            # The user has said what the images are for, boxes or not.
            return dataclasses.replace(card, details={**card.details, "task": "segmentation"})
        return card


def voc_importer(options: AnnotatedOptions) -> AnnotatedImporter:
    """Return the importer of Pascal VOC."""
    return AnnotatedImporter(options, "voc")


def coco_importer(options: AnnotatedOptions) -> AnnotatedImporter:
    """Return the importer of COCO."""
    return AnnotatedImporter(options, "coco")


def yolo_importer(options: AnnotatedOptions) -> AnnotatedImporter:
    """Return the importer of YOLO."""
    return AnnotatedImporter(options, "yolo")


def labelme_importer(options: AnnotatedOptions) -> AnnotatedImporter:
    """Return the importer of labelme."""
    return AnnotatedImporter(options, "labelme")


def boxes_csv_importer(options: AnnotatedOptions) -> AnnotatedImporter:
    """Return the importer of a CSV file of boxes."""
    return AnnotatedImporter(options, "boxes-csv")


def pennfudan_importer(options: AnnotatedOptions) -> AnnotatedImporter:
    """Return the importer of masks of instance numbers."""
    return AnnotatedImporter(options, "pennfudan")
