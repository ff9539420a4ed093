"""Copies of images, byte for byte.

Whatever is learned from one copy, a copy in another class contradicts, and one in another part of the data repeats.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.wording import printable
from dlcli.data.images.decoding import read_bytes
from dlcli.data.images.form import ImagesForm

COPIES = "copies"
"""The detail of a prepared card that counts the images which repeat another one; only there if there are any."""

MAX_COMPARED_BYTES = 256 * 2**20
"""Maximum bytes read for the comparison, about a second; `dl prepare` compares all files, as it reads them anyway."""


def note_contradictions(form: ImagesForm) -> ImagesForm:
    """Return a user's own folder with a warning on its card if images are in several classes; others unchanged."""
    if form.is_prepared:
        return form
    notes = contradictions(form)
    return dataclasses.replace(form, card=dataclasses.replace(form.card, warnings=(*form.card.warnings, *notes)))


def contradictions(form: ImagesForm) -> list[str]:
    """Return a line that says how many images are in several classes and names the first; none if there are none.

    Only files of equal size are read, and none if those are too many to be compared quickly.
    """
    groups: dict[bytes, list[tuple[str, Path]]] = {}
    for name, path in _candidates(form):
        digest = _digest(path)
        if digest is not None:
            groups.setdefault(digest, []).append((name, path))
    several = [group for group in groups.values() if len({name for name, _ in group}) > 1]
    if not several:
        return []
    first = min(several, key=lambda group: str(group[0][1]))
    count = "1 image is" if len(several) == 1 else f"{len(several):,} images are"
    names = ", ".join(dict.fromkeys(name for name, _ in first))
    place = printable(str(first[0][1].relative_to(form.root)))
    return [f"{count} in several classes: the first is {place}, in {names}; `dl prepare image-folder` leaves them out"]


def may_have_copies(form: ImagesForm) -> bool:
    """Return whether images may be in the data several times: prepared data says so, a user's own folder never does."""
    return not form.is_prepared or bool(form.card.details.get(COPIES))


def first_copies(files: Sequence[Path]) -> np.ndarray:
    """Return for each file the index of the first that is equal to it, its own if there is no other, (N,) int64.

    Only files of equal size are read, and none if those are too many to be compared quickly.
    """
    first = np.arange(len(files))
    by_size: dict[int, list[int]] = {}
    for row, path in enumerate(files):
        try:
            by_size.setdefault(path.stat().st_size, []).append(row)
        except OSError:  # reported when it is decoded
            continue
    shared = {size: rows for size, rows in by_size.items() if len(rows) > 1}
    if sum(size * len(rows) for size, rows in shared.items()) > MAX_COMPARED_BYTES:
        return first
    known: dict[bytes, int] = {}
    for row in (row for rows in shared.values() for row in rows):
        digest = _digest(files[row])
        if digest is not None:
            first[row] = known.setdefault(digest, row)
    return first


def _digest(path: Path) -> bytes | None:
    try:
        return hashlib.sha256(read_bytes(path)).digest()
    except DataError:  # reported when it is decoded
        return None


def _candidates(form: ImagesForm) -> Iterator[tuple[str, Path]]:
    """Yield class name and path of the files that have the size of a file of another class."""
    by_size: dict[int, list[tuple[str, str]]] = {}
    for split in form.splits():
        for name, files in zip(form.card.classes, form.names[split], strict=True):
            place = f"{form.folders[split]}{os.sep}{name}{os.sep}"
            for file in files:
                try:
                    size = os.stat(place + file).st_size  # noqa: PTH116 - a Path for each of 100,000 files takes longer
                except OSError:
                    continue
                by_size.setdefault(size, []).append((name, place + file))
    shared = {
        size: found for size, found in by_size.items() if size and any(name != found[0][0] for name, _ in found[1:])
    }
    if sum(size * len(found) for size, found in shared.items()) <= MAX_COMPARED_BYTES:
        for found in shared.values():
            yield from ((name, Path(path)) for name, path in found)
