"""What `dl doctor` finds in images by class: the classes, their sizes, and files that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.core.findings import FAULT, OK, WARNING, Finding
from dlcli.data.balance import balance_of
from dlcli.data.images.copies import note_contradictions
from dlcli.data.images.decoding import read_image
from dlcli.data.images.form import open_images

MAX_CHECKED = 2000
"""Images of a split that are decoded for the check, spread over it; `dl prepare` has seen them all."""


def examine_images(folder: Path) -> Iterator[Finding]:
    """Yield what the card says and warns of, and for each split its classes and its unreadable files.

    Raises:
        DataError: the folder holds no images by class, or does not fit its card.
    """
    form = note_contradictions(open_images(folder))
    card = form.card
    yield Finding("card", OK if form.is_prepared else WARNING, f"{card.name}: {len(card.classes)} classes")
    yield from (Finding("card", WARNING, warning) for warning in card.warnings)
    for split in form.splits():
        yield balance_of(card, split, "images")
        yield from _unreadable(form.files(split), split)


def _unreadable(files: list[Path], split: str) -> Iterator[Finding]:
    bad = []
    for file in files[:: max(1, len(files) // MAX_CHECKED)]:
        try:
            read_image(file, channels=3)
        except DataError as error:
            bad.append(error.message)
    if bad:
        yield Finding(f"{split} files", FAULT, f"{len(bad)} unreadable, the first: {bad[0]}")
