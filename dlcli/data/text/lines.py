"""What the forms of text share: JSON Lines files, read in order or by position, and the checks of their packed copies.

A form of text is `train.jsonl`, `valid.jsonl` and `test.jsonl`, whose lines are JSON objects of strings, with a packed
copy of token ids beside them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from dlcli.core.errors import DataError, RunError

SPLITS = ("train", "valid", "test")
MAX_LINE_BYTES = 16 * 2**20

Asset = TypeVar("Asset")
Packed = TypeVar("Packed")
Strings = TypeVar("Strings", bound=tuple[str, ...])
PackedRows = TypeVar("PackedRows", bound=Sized)


def jsonl_file(root: Path, split: str) -> Path:
    """Return the path of a split's texts."""
    return root / f"{split}.jsonl"


def numbered_lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield the number (from 1), the byte offset and the bytes of each line that is not blank.

    Raises:
        DataError: the file cannot be read.
    """
    start = 0
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE_BYTES), b""), start=1):
                if line.strip():
                    yield number, start, line
                start += len(line)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None


def strings_of_line(line: bytes, names: Sequence[str], where: str, *, may_be_blank: bool) -> tuple[str, ...]:
    """Return the strings of a line's JSON object.

    Args:
        line: the bytes of the line.
        names: the keys of the strings.
        where: the place of the line, for the message.
        may_be_blank: whether a string without visible characters is accepted.

    Raises:
        DataError: the line is not a JSON object with all of them.
    """
    try:
        value = json.loads(line)
        found = [value[name] for name in names]
    except (ValueError, TypeError, KeyError, RecursionError):
        found = []
    is_row = bool(found) and all(isinstance(text, str) and (may_be_blank or text.strip()) for text in found)
    if not is_row:
        fields = ", ".join(f'"{name}": "..."' for name in names)
        raise DataError(f"{where}: not a line of {{{fields}}}", hint="correct or remove the line")
    return tuple(found)


def strings_at(path: Path, starts: np.ndarray, parse: Callable[[bytes, str], Strings]) -> list[Strings]:
    """Return the strings of the lines at these byte offsets, in the given order; the file is read from front to back.

    Args:
        path: the JSONL.
        starts: (N,) int64 offsets.
        parse: (line, place for messages) -> its strings.

    Raises:
        DataError: the file cannot be read, or has changed since the offsets were noted.
    """
    rows: dict[int, Strings] = {}
    try:
        with path.open("rb") as stream:
            for place in np.argsort(starts, kind="stable").tolist():
                stream.seek(int(starts[place]))
                rows[place] = parse(stream.readline(MAX_LINE_BYTES), f"{path}: byte {starts[place]:,}")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    return [rows[place] for place in range(len(starts))]


def open_splits(
    root: Path, named: Collection[str], open_split: Callable[[str], PackedRows], *, noun: str, again: str
) -> dict[str, PackedRows]:
    """Return the packed copy of each split that the card names.

    Args:
        root: the prepared folder.
        named: the splits that the card names.
        open_split: opens the packed copy of a split; its length is the number of items.
        noun: plural noun for the items.
        again: how to prepare the data again, the hint of every error.

    Raises:
        DataError: the file of a split is missing, a split is empty, or there is no training split.
    """
    packed: dict[str, PackedRows] = {}
    for split in SPLITS:
        if split not in named:
            continue
        if not jsonl_file(root, split).is_file():
            raise DataError(f"{root}: the card names the split {split!r}, but its file is missing", hint=again)
        packed[split] = open_split(split)
        if not len(packed[split]):
            raise DataError(f"{jsonl_file(root, split)}: holds no {noun}", hint=again)
    if "train" not in packed:
        raise DataError(f"{root}: has no training split", hint=again)
    return packed


def packed_of(packed: Mapping[str, Packed], split: str, root: Path) -> Packed:
    """Return the packed copy of a split.

    Raises:
        DataError: there is no such split.
    """
    if split not in packed:
        raise DataError(f"{root}: has no split {split!r}", hint=f"it has: {', '.join(packed)}")
    return packed[split]


def read_asset(path: Path, parse: Callable[[Any], Asset], *, max_bytes: int, noun: str, again: str) -> Asset:
    """Return what a JSON file of the form describes, such as its vocabulary.

    Args:
        path: the file.
        parse: makes the asset from the JSON value; raises RunError if it is damaged.
        max_bytes: refuse larger files.
        noun: the asset, for the message.
        again: how to prepare the data again, the hint of every error.

    Raises:
        DataError: the file is missing, too large, not JSON, or damaged.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise DataError(f"{path}: too large for a {noun}", hint=again)
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", hint=again) from None
    except (ValueError, RecursionError):
        raise DataError(f"{path}: not JSON", hint=again) from None
    except RunError as error:
        raise DataError(f"{path}: {error.message}", hint=again) from None


def are_offsets(values: np.ndarray, maximum: int) -> bool:
    """Return whether values are (N,) int64, N > 0, that increase strictly within [0, maximum].

    Within these bounds their differences cannot overflow.
    """
    if values.dtype != np.int64 or values.ndim != 1 or not len(values):
        return False
    return bool(values.min() >= 0 and values.max() <= maximum and (np.diff(values) > 0).all())


def are_spans(offsets: np.ndarray, num_items: int, num_ids: int) -> bool:
    """Return whether offsets, (N + 1,) int64, divide all token ids among the items, at least one each."""
    is_division = len(offsets) == num_items + 1 and are_offsets(offsets, num_ids)
    return is_division and bool(offsets[0] == 0 and offsets[-1] == num_ids)
