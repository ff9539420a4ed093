"""The packed copy of a split of small images: one memory-mapped array, derived from the image files.

`packed/<split>.images.npy` is (N, H, W, C) uint8, `packed/<split>.labels.npy` (N,) int64, rows in the order of the
reader's file list (class index, then file name). `packed/packed.json` records what the copy was made from: the card's
classes, counts and size, and name, size and modification time of each file. A copy that does not match these is stale.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.files import parse_json, write_json
from dlcli.data.card import Card
from dlcli.data.npy import load_npy

FOLDER = "packed"
INDEX = "packed.json"
SCHEMA = 2
MAX_SIZE_PX = 64  # larger images are decoded during training, since each epoch crops them differently


@dataclass(frozen=True)
class PackedSplit:
    """The images of a split as arrays.

    Attributes:
        parts: (n, H, W, C) uint8 each, RGB or grey, N in total; memory maps if they are on disk. One, or one a shard.
        labels: (N,) int64.
    """

    parts: tuple[np.ndarray, ...]
    labels: np.ndarray

    @property
    def images(self) -> np.ndarray | Stacked:
        """All images, (N, H, W, C) uint8."""
        return self.parts[0] if len(self.parts) == 1 else Stacked(self.parts)


def images_file(root: Path, split: str) -> Path:
    """Return the path of a split's pixels."""
    return root / FOLDER / f"{split}.images.npy"


def labels_file(root: Path, split: str) -> Path:
    """Return the path of a split's labels."""
    return root / FOLDER / f"{split}.labels.npy"


def is_packable(card: Card) -> bool:
    """Return whether all images share one size of at most 64 x 64 pixels, according to the card."""
    size = card.details.get("image_size")
    return size is not None and max(size) <= MAX_SIZE_PX


def write_split(
    root: Path, split: str, chunks: Iterable[np.ndarray], shape: tuple[int, int, int, int], labels: np.ndarray
) -> None:
    """Write a split's arrays; a reader that has mapped the old ones is not affected.

    Args:
        root: the prepared folder.
        split: name of the split.
        chunks: consecutive rows, (n, H, W, C) uint8 each.
        shape: (N, H, W, C) of all chunks together.
        labels: (N,) class indices.
    """
    (root / FOLDER).mkdir(exist_ok=True)
    suffix = f".{os.getpid()}.partial"
    partial = [path.with_name(path.name + suffix) for path in (images_file(root, split), labels_file(root, split))]
    try:
        with partial[0].open("wb", buffering=0) as stream:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)
            for chunk in chunks:
                _write_all(stream.fileno(), np.ascontiguousarray(chunk))
        with partial[1].open("wb") as stream:
            np.save(stream, labels.astype(np.int64, copy=False))
        partial[0].replace(images_file(root, split))
        partial[1].replace(labels_file(root, split))
    finally:
        for path in partial:
            path.unlink(missing_ok=True)


def _write_all(descriptor: int, chunk: np.ndarray) -> None:
    view = memoryview(chunk.data).cast("B")
    while view:
        view = view[os.write(descriptor, view) :]


def origin_of(card: Card, split: str, folder: Path, names: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return what the packed copy of a split is made from, as JSON values.

    Args:
        card: the card of the prepared folder.
        split: name of the split.
        folder: the folder of its class folders.
        names: for each class, in the card's order, its sorted file names.

    Raises:
        OSError: a file is gone.
    """
    facts = [card.classes, card.counts[split], card.details.get("image_size"), card.details.get("channels")]
    digest = hashlib.sha256()
    for class_name, files in zip(card.classes, names, strict=True):
        place = f"{folder}{os.sep}{class_name}{os.sep}"
        for name in files:
            found = os.stat(place + name)  # noqa: PTH116 - a Path for each of 60,000 files takes longer than this call
            digest.update(f"{class_name}/{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode(errors="surrogatepass"))
    card_digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return {"card": card_digest, "files": digest.hexdigest()}


def seal(root: Path, origins: Mapping[str, Mapping[str, Any]]) -> None:
    """Record what the packed copies of these splits were made from.

    Args:
        root: the prepared folder.
        origins: split -> the value of `origin_of` before its files were read, so that later changes are noticed.
    """
    write_json(root / FOLDER / INDEX, {"schema": SCHEMA, "splits": {**_read_index(root), **origins}})


def open_split(root: Path, card: Card, split: str, origin: Mapping[str, Any]) -> PackedSplit | None:
    """Return the packed copy of a split, or None if it is missing, damaged or made from something else."""
    if _read_index(root).get(split) != origin:
        return None
    images, labels = load_npy(images_file(root, split), is_mapped=True), load_npy(labels_file(root, split))
    if images is None or labels is None:
        return None
    shape = (card.num_items(split), *card.details["image_size"], card.details["channels"])
    if images.dtype != np.uint8 or images.shape != shape or labels.dtype != np.int64 or labels.shape != shape[:1]:
        return None
    if not np.array_equal(labels, labels_of(card, split)):
        return None
    return PackedSplit((images,), labels)


class Stacked:
    """Several packed arrays as one: rows are fetched by index, without copying the arrays."""

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        # Views as plain arrays: indexing a numpy.memmap creates a new memmap each time.
        self._parts = [part.view(np.ndarray) for part in parts]
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self.shape = (int(self._starts[-1]), *parts[0].shape[1:])

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows at these indices, (K,), in the given order, (K, ...)."""
        result = np.empty((len(rows), *self.shape[1:]), dtype=self._parts[0].dtype)
        places = np.searchsorted(self._starts, rows, side="right") - 1
        for place in np.unique(places).tolist():
            is_here = places == place
            result[is_here] = self._parts[place][rows[is_here] - self._starts[place]]
        return result


def labels_of(card: Card, split: str) -> np.ndarray:
    """Return the labels that follow from the card's counts, (N,) int64, since files are ordered by class."""
    counts = [card.counts[split].get(name, 0) for name in card.classes]
    return np.repeat(np.arange(len(counts), dtype=np.int64), counts)


def _read_index(root: Path) -> dict[str, Any]:
    try:
        value = parse_json((root / FOLDER / INDEX).read_text(encoding="utf-8"))
        return dict(value["splits"]) if value["schema"] == SCHEMA else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}
