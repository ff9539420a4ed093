"""Images that are in several classes, byte for byte: whatever is learned from one copy, the other contradicts."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.core.wording import printable
from dlcli.data.images.decoding import read_bytes
from dlcli.data.images.form import ImagesForm

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
        try:
            digest = hashlib.sha256(read_bytes(path)).digest()
        except DataError:  # reported when it is decoded
            continue
        groups.setdefault(digest, []).append((name, path))
    several = [group for group in groups.values() if len({name for name, _ in group}) > 1]
    if not several:
        return []
    first = min(several, key=lambda group: str(group[0][1]))
    count = "1 image is" if len(several) == 1 else f"{len(several):,} images are"
    names = ", ".join(dict.fromkeys(name for name, _ in first))
    place = printable(str(first[0][1].relative_to(form.root)))
    return [f"{count} in several classes: the first is {place}, in {names}; `dl prepare image-folder` leaves them out"]


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
