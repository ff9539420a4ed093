"""Writing the form "images by class" from pixels in memory: PNG files, packed copies and card in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcli.data.card import Card
from dlcli.data.images import packed
from dlcli.data.images.pixels import PixelStatistics, leak_warnings, row_checksums
from dlcli.data.images.png import PngWriters
from dlcli.data.importing.names import unique_png_names

_ROWS = 2000  # per chunk: a few MB, which stay in the cache until they are written


@dataclass(frozen=True)
class PixelSplit:
    """A split as an importer reads it, in any order.

    Attributes:
        name: "train" or "test".
        parts: the images in one or more arrays, each (n, H, W, C) uint8, RGB or grey, N in total. They are not
            concatenated: touching another 150 MB costs at least 0.2 s.
        labels: (N,) class indices.
        file_names: N names, which may be unsafe.
    """

    name: str
    parts: Sequence[np.ndarray]
    labels: np.ndarray
    file_names: Sequence[str]


@dataclass
class _Written:
    """The properties of a split whose packed copy is written."""

    counts: dict[str, int]
    checksums: np.ndarray
    shape: tuple[int, ...]
    file_names: list[list[str]]  # of each class


def write_pixels(
    folder: Path, name: str, classes: tuple[str, ...], splits: Iterable[PixelSplit], num_images: int
) -> Card:
    """Write images that all share one size (at most 64 px) and return the card.

    Args:
        folder: an empty folder.
        name: name of the dataset.
        classes: names that are safe as folder names.
        splits: read one after the other, while the PNG files of the previous one are written; "train" should come last
            to keep the cores busy for longest.
        num_images: approximate total, which decides whether more processes pay off.
    """
    written: dict[str, _Written] = {}
    statistics = PixelStatistics()
    with PngWriters(num_images) as writers:
        for split in splits:
            written[split.name] = _write_split(folder, classes, split, writers, statistics)
        writers.finish()
    names = sorted(written, reverse=True)  # train before test
    height, _width, channels = written[names[0]].shape[1:]
    mean, std = statistics.result()
    packed_images = {split: np.load(packed.images_file(folder, split), mmap_mode="r") for split in names}
    warnings = leak_warnings(packed_images, {split: written[split].checksums for split in names})
    card = Card(
        form="images",
        name=name,
        classes=classes,
        counts={split: written[split].counts for split in names},
        details={"channels": channels, "image_size": [height, _width], "mean": mean, "std": std},
        warnings=tuple(warnings),
    )
    origins = {split: packed.origin_of(card, split, folder / split, written[split].file_names) for split in names}
    packed.seal(folder, origins)
    return card


def _write_split(
    folder: Path, classes: tuple[str, ...], split: PixelSplit, writers: PngWriters, statistics: PixelStatistics
) -> _Written:
    labels = split.labels.tolist()
    file_names = unique_png_names(split.file_names, labels)
    order = np.array(sorted(range(len(labels)), key=lambda row: (labels[row], file_names[row])), np.intp)
    sorted_labels = np.asarray(split.labels, np.int64)[order]
    checksums = []

    def rows() -> Iterator[np.ndarray]:
        for start in range(0, len(order), _ROWS):
            chunk = _gather(split.parts, order[start : start + _ROWS])
            checksums.append(row_checksums(chunk))
            if split.name == "train":
                statistics.add(chunk)
            yield chunk

    height, width, channels = split.parts[0].shape[1:]
    shape = (len(order), height, width, channels)
    packed.write_split(folder, split.name, rows(), shape, sorted_labels)
    counts, names_of_classes = {}, []
    bounds = np.searchsorted(sorted_labels, np.arange(len(classes) + 1)).tolist()
    for class_name, start, stop in zip(classes, bounds, bounds[1:], strict=False):
        counts[class_name] = stop - start
        class_folder = folder / split.name / class_name
        class_folder.mkdir(parents=True)
        names = [file_names[row] for row in order[start:stop].tolist()]
        names_of_classes.append(names)
        writers.add(packed.images_file(folder, split.name), start, class_folder, names)
    return _Written(counts, np.concatenate(checksums), shape, names_of_classes)


def _gather(parts: Sequence[np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Return these rows of the concatenated arrays, without concatenating them."""
    if len(parts) == 1:
        return np.asarray(parts[0][rows])
    chunk = np.empty((len(rows), *parts[0].shape[1:]), np.uint8)
    first = 0
    for part in parts:
        is_here = (rows >= first) & (rows < first + len(part))
        chunk[is_here] = part[rows[is_here] - first]
        first += len(part)
    return chunk
