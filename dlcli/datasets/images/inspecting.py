"""The files of a folder of images: which can be decoded, and which contradict or repeat each other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.core.wording import printable
from dlcli.data.images.decoding import SUFFIX_OF, decode_image, read_bytes, read_header
from dlcli.data.images.each import are_large, for_each
from dlcli.data.images.muffling import muffled
from dlcli.data.images.pixels import leak_warning

_MAX_NAMED = 20  # bad files that the card names


@dataclass(frozen=True)
class Item:
    """A file of the source."""

    split: str
    label: int
    path: Path


@dataclass(frozen=True)
class FoundImage:
    """The properties of a file that could be decoded."""

    item: Item
    sha256: bytes
    height: int  # upright, as decoded
    width: int
    channels: int
    suffix: str


@dataclass(frozen=True)
class BadImage:
    """A file that cannot be decoded, and why."""

    item: Item
    reason: str


def inspect(items: Sequence[Item]) -> tuple[list[FoundImage], list[BadImage]]:
    """Return the files that can be decoded, and the others with the reason, both in the order of `items`."""
    with muffled:
        results = for_each(_inspect_one, items, are_large=are_large([item.path for item in items]))
    images = [result for result in results if isinstance(result, FoundImage)]
    return images, [result for result in results if isinstance(result, BadImage)]


def _inspect_one(item: Item) -> FoundImage | BadImage:
    try:
        data = read_bytes(item.path)
        header = read_header(data)
        height, width, _ = decode_image(data, channels=header.channels).shape
    except DataError as error:
        return BadImage(item, error.message)
    digest = hashlib.sha256(data).digest()
    return FoundImage(item, digest, height, width, header.channels, SUFFIX_OF[header.format])


def bad_notes(bad: Sequence[BadImage], root: Path) -> list[str]:
    """Return the notes on files that were skipped: how many, and the first ones by name; [] for none."""
    if not bad:
        return []
    notes = [f"{len(bad):,} files could not be read as images and were skipped"]
    notes += [f"skipped {entry.item.path.relative_to(root)}: {entry.reason}" for entry in bad[:_MAX_NAMED]]
    return notes


def bad_line(bad: Sequence[BadImage], root: Path) -> list[str]:
    """Return a line for an error that comes of files that cannot be read: how many, and the first; [] for none."""
    if not bad:
        return []
    count = "1 file" if len(bad) == 1 else f"{len(bad):,} files"
    return [printable(f"{count} cannot be read, the first: {bad[0].item.path.relative_to(root)}: {bad[0].reason}")]


def without_contradictions(
    images: list[FoundImage], classes: Sequence[str], root: Path
) -> tuple[list[FoundImage], list[str]]:
    """Return the images that are in one class only, and a note on the others."""
    labels: dict[bytes, set[int]] = {}
    for image in images:
        labels.setdefault(image.sha256, set()).add(image.item.label)
    several = [image for image in images if len(labels[image.sha256]) > 1]
    if not several:
        return images, []
    first = min(several, key=lambda image: str(image.item.path))
    names = ", ".join(classes[label] for label in sorted(labels[first.sha256]))
    count = len({image.sha256 for image in several})
    what = "1 image is" if count == 1 else f"{count:,} images are"
    note = f"{what} in several classes, so left out: the first is {first.item.path.relative_to(root)}, in {names}"
    return [image for image in images if len(labels[image.sha256]) == 1], [note]


def leak_notes(images: Sequence[FoundImage]) -> list[str]:
    """Return a note for each pair of splits that share byte-identical files."""
    digests: dict[str, list[bytes]] = {}
    for image in images:
        digests.setdefault(image.item.split, []).append(image.sha256)
    order = [split for split in ("train", "valid", "test") if split in digests]
    notes: list[str] = []
    for index, first in enumerate(order):
        known = set(digests[first])
        for second in order[index + 1 :]:
            notes.extend(leak_warning(first, second, sum(digest in known for digest in digests[second])))
    return notes
