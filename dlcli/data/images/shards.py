"""The packed copy of a split in several files of equally many images, cut by `dl prepare --shard-size`.

`packed/<split>.images-00003-of-00008.npy` is (n, H, W, C) uint8, the rows from 3 N on, N being the size of a shard;
only the last one may be smaller. Rows, labels and hence batches are those of the uncut copy. `packed/shards.json`
records for each shard what it was made from: the format of its images, and name, size and modification time of each
file. A shard that does not match is made again, and no other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.files import write_json
from dlcli.data.card import Card
from dlcli.data.images import packed
from dlcli.data.images.packed import FOLDER, PackedSplit
from dlcli.data.npy import load_npy

INDEX = "shards.json"
SCHEMA = 1
DETAIL = "shard_size"
"""Where the card has the size of a shard."""

_ROWS = 2000  # written at a time

Decode = Callable[[int, int], Iterator[np.ndarray]]
"""(first, end) -> these rows of the split in consecutive arrays, (n, H, W, C) uint8, decoded from their files."""


def size_of(card: Card) -> int | None:
    """Return the number of images in a shard, or None if the packed copy is not cut."""
    size = card.details.get(DETAIL)
    return size if type(size) is int and size > 0 else None


def bounds_of(num_items: int, size: int) -> list[tuple[int, int]]:
    """Return the first row of each shard and the end of its last."""
    return [(start, min(start + size, num_items)) for start in range(0, num_items, size)]


def shard_file(root: Path, split: str, number: int, count: int) -> Path:
    """Return the path of a shard's pixels."""
    return root / FOLDER / f"{split}.images-{number:05d}-of-{count:05d}.npy"


def digests_of(card: Card, folder: Path, names: Sequence[Sequence[str]], size: int) -> list[str]:
    """Return for each shard of a split what it is made from, as hexadecimal digits.

    Args:
        card: the card of the prepared folder.
        folder: the folder of the split's class folders.
        names: for each class, in the card's order, its sorted file names.
        size: images of a shard.

    Raises:
        OSError: a file is gone.
    """
    facts = json.dumps([card.details.get("image_size"), card.details.get("channels"), size])
    files = [(class_name, file) for class_name, own in zip(card.classes, names, strict=True) for file in own]
    found = []
    for start, end in bounds_of(len(files), size):
        digest = hashlib.sha256(facts.encode())
        for class_name, file in files[start:end]:
            entry = os.stat(f"{folder}{os.sep}{class_name}{os.sep}{file}")  # noqa: PTH116 - half of a Path's time
            line = f"{class_name}/{file}\0{entry.st_size}\0{entry.st_mtime_ns}\n"
            digest.update(line.encode(errors="surrogatepass"))
        found.append(digest.hexdigest())
    return found


def open_shards(root: Path, card: Card, split: str, digests: Sequence[str], decode: Decode) -> PackedSplit | None:
    """Return the shards of a split, memory-mapped; those that are missing, damaged or stale are made again.

    Args:
        root: the prepared folder.
        card: its card, with the actual counts.
        split: name of the split.
        digests: those of `digests_of`.
        decode: reads rows from their files.

    Returns:
        The split, or None if a shard that was just written cannot be read.

    Raises:
        OSError: a shard cannot be written.
        DataError: an image cannot be read.
    """
    size = size_of(card)
    assert size is not None
    recorded = _read_index(root).get(split, [])
    before = recorded if isinstance(recorded, list) and len(recorded) == len(digests) else [None] * len(digests)
    bounds, parts = bounds_of(card.num_items(split), size), []
    is_changed = False
    for number, (start, end) in enumerate(bounds):
        path = shard_file(root, split, number, len(bounds))
        shape = (end - start, *card.details["image_size"], card.details["channels"])
        part = _load(path, shape) if before[number] == digests[number] else None
        if part is None:
            _write(path, decode(start, end), shape)
            part, is_changed = _load(path, shape), True
        if part is None:
            return None
        parts.append(part)
    if is_changed or len(recorded) != len(digests):
        _remove_others(root, split, len(bounds))
        _record(root, split, digests)
    return PackedSplit(tuple(parts), packed.labels_of(card, split))


def cut(root: Path, card: Card, origins: dict[str, Sequence[str]]) -> None:
    """Cut the packed copy of each split, as its importer wrote it, into shards, and remove the uncut one.

    Args:
        root: the prepared folder.
        card: its card, with the size of a shard.
        origins: split -> the digests of its shards.
    """
    for split, digests in origins.items():
        images = load_npy(packed.images_file(root, split), is_mapped=True)
        if images is None:  # an importer that leaves it to the first training
            continue

        def rows(start: int, end: int, images: np.ndarray = images) -> Iterator[np.ndarray]:
            return (images[first : min(first + _ROWS, end)] for first in range(start, end, _ROWS))

        open_shards(root, card, split, digests, rows)
        packed.images_file(root, split).unlink(missing_ok=True)
        packed.labels_file(root, split).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        (root / FOLDER / packed.INDEX).unlink()


def _load(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    part = load_npy(path, is_mapped=True)
    return part if part is not None and part.dtype == np.uint8 and part.shape == shape else None


def _write(path: Path, chunks: Iterator[np.ndarray], shape: tuple[int, ...]) -> None:
    path.parent.mkdir(exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for chunk in chunks:
                stream.write(np.ascontiguousarray(chunk).data)
        partial.replace(path)  # a reader that has mapped the old one keeps it
    finally:
        partial.unlink(missing_ok=True)


def _remove_others(root: Path, split: str, count: int) -> None:
    """Remove the shards of an earlier number of images."""
    for path in (root / FOLDER).glob(f"{split}.images-*-of-*.npy"):
        if not path.name.endswith(f"-of-{count:05d}.npy"):
            with contextlib.suppress(OSError):
                path.unlink()


def _record(root: Path, split: str, digests: Sequence[str]) -> None:
    write_json(root / FOLDER / INDEX, {"schema": SCHEMA, "splits": {**_read_index(root), split: list(digests)}})


def _read_index(root: Path) -> dict[str, Any]:
    try:
        value = json.loads((root / FOLDER / INDEX).read_text(encoding="utf-8"))
        return dict(value["splits"]) if value["schema"] == SCHEMA else {}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}
