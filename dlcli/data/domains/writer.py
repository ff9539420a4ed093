"""Writing the form "domains": plain files copied byte for byte, others as PNG files with the same pixels."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.card import Card
from dlcli.data.domains.folders import SPLITS
from dlcli.data.domains.form import FORM
from dlcli.data.images.decoding import SUFFIX_OF, decode_image, read_bytes, read_header
from dlcli.data.images.each import are_large, for_each
from dlcli.data.images.muffling import muffled
from dlcli.data.images.png import encode_pngs
from dlcli.data.importing.names import safe_stem

MIN_SIDE = 8
"""Pixels of the shorter side, below which an image is left out: enlarged, it shows nothing."""

_PLAIN_PNG = {(8, 0), (8, 2)}
"""Bit depth and colour type of grey and RGB."""


@dataclass(frozen=True)
class FoundImage:
    """An image file that can be decoded.

    Attributes:
        path: of the file.
        height, width: in pixels, as decoded.
        sha256: of its bytes.
        suffix: of the copy, where the file is 8-bit grey or RGB in PNG or JPEG; "" for others, which are converted.
    """

    path: Path
    height: int
    width: int
    sha256: bytes
    suffix: str


@dataclass(frozen=True)
class Placed:
    """An image and where it is written.

    Attributes:
        image: the file.
        split: "train" or "test".
        domain: 0 or 1.
        half: 0 or 1 for the left or the right half of the image, None for all of it.
    """

    image: FoundImage
    split: str
    domain: int
    half: int | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.height, self.image.width if self.half is None else self.image.width // 2


def inspect_image(path: Path) -> FoundImage:
    """Return what is known of an image file, which is decoded for it.

    Raises:
        DataError: it cannot be read, or is too small; the message is only the reason.
    """
    data = read_bytes(path)
    header = read_header(data)
    with muffled:
        height, width, _ = decode_image(data, channels=3).shape
    if min(height, width) < MIN_SIDE:
        raise DataError(f"{width} x {height} pixels are too few: at least {MIN_SIDE} on each side")
    suffix = SUFFIX_OF[header.format] if _is_plain(data, header.format) else ""
    return FoundImage(path, height, width, hashlib.sha256(data).digest(), suffix)


def _is_plain(data: bytes, kind: str) -> bool:
    """Return whether an image that can be decoded is 8-bit grey or RGB in PNG or JPEG."""
    if kind == "PNG":
        return (data[24], data[25]) in _PLAIN_PNG
    if kind != "JPEG":
        return False
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.format == "JPEG" and image.mode in ("L", "RGB")
    except Exception:  # Pillow raises almost anything on damaged metadata: then the pixels are written anew
        return False


def write_domains(
    items: Sequence[Sequence[Placed]],
    folder: Path,
    *,
    name: str,
    classes: tuple[str, str],
    paired: bool,
    notes: Sequence[str] = (),
) -> Card:
    """Write the prepared form into an empty folder and return its card, with the details of the form.

    Args:
        items: the images one by one, or as pairs.
        folder: the folder.
        name: of the dataset.
        classes: names of the domains, safe as folder names.
        paired: whether the items are pairs; the two files of one then have the same name.
        notes: warnings for the card.

    Raises:
        DataError: a file was changed since it was inspected.
        OSError: a file cannot be written.
    """
    splits = [split for split in SPLITS if any(group[0].split == split for group in items)]
    for split in splits:
        for domain in classes:
            (folder / split / domain).mkdir(parents=True)
    targets = _targets(items, folder, classes)
    placed = [each for group in items for each in group]
    for_each(_write, placed, targets, are_large=are_large([each.image.path for each in placed]))
    counts = {split: dict.fromkeys(classes, 0) for split in splits}
    for each in placed:
        counts[each.split][classes[each.domain]] += 1
    sizes = {each.size for each in placed}
    details = {
        "paired": paired,
        "channels": 3,
        "image_size": list(sizes.pop()) if len(sizes) == 1 else None,
        "converted": sum(not (each.image.suffix and each.half is None) for each in placed),
    }
    return Card(FORM, name, classes, counts, details=details, warnings=tuple(notes))


def _targets(items: Sequence[Sequence[Placed]], folder: Path, classes: tuple[str, str]) -> list[Path]:
    """Return the path of each image: safe names, unique in their folder whatever their case, and of pairs equal."""
    taken: set[tuple[str, int, str]] = set()
    targets = []
    for number, group in enumerate(items):
        split, place = group[0].split, group[0].domain if len(group) == 1 else -1
        stem = candidate = safe_stem(group[0].image.path.stem, f"image_{number:05d}")
        again = 2
        while (split, place, candidate.casefold()) in taken:
            candidate, again = f"{stem}_{again}", again + 1
        taken.add((split, place, candidate.casefold()))
        for each in group:
            suffix = each.image.suffix if each.half is None else ""
            targets.append(folder / split / classes[each.domain] / f"{candidate}{suffix or '.png'}")
    return targets


def _write(each: Placed, target: Path) -> None:
    if each.half is None and each.image.suffix:
        shutil.copyfile(each.image.path, target)
        return
    try:
        pixels = decode_image(read_bytes(each.image.path), channels=3)
    except DataError as error:
        raise DataError(
            f"{each.image.path}: {error.message}", hint="the file has changed since it was inspected"
        ) from None
    if each.half is not None:
        width = each.image.width // 2
        pixels = np.ascontiguousarray(pixels[:, each.half * width : (each.half + 1) * width])
    target.write_bytes(next(iter(encode_pngs(pixels[np.newaxis]))))
