"""The size of the images of a folder, from a few headers, before the folder is opened."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator
from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.data.card import read_card
from dlcli.data.images.folders import class_folders, find_layout, image_names

NUM_HEADERS, PER_CLASS = 20, 3
"""Files whose headers are read, and of a class."""


def typical_side(folder: Path) -> int | None:
    """Return the median of the shorter sides of some images, in pixels; None if none can be read.

    Opening the folder reports what is wrong with it; here it only has no answer.
    """
    try:
        card = read_card(folder)
        size = card.details.get("image_size") if card is not None else None
        if size is not None:
            return int(min(size))
        from dlcli.data.images.decoding import read_bytes, read_header

        sides = []
        for path in itertools.islice(_some_files(folder), NUM_HEADERS):
            try:
                header = read_header(read_bytes(path))
            except DataError:
                continue
            sides.append(min(header.height, header.width))
    except (DataError, OSError, TypeError, ValueError):
        return None
    return round(statistics.median(sides)) if sides else None


def _some_files(folder: Path) -> Iterator[Path]:
    """Yield the first images of each class of the first split."""
    for split in itertools.islice(find_layout(folder).splits.values(), 1):
        for name in class_folders(split):
            for file in image_names(split / name)[:PER_CLASS]:
                yield split / name / file
