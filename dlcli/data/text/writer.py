"""Writing the form "text": JSONL for people, and its packed copy of token ids. Texts may have labels or none.

`packed/<split>-ids.npy` (M,) int32 holds the ids of all tokens, concatenated, and `packed/<split>-offsets.npy` (N + 1,)
int64 the offset of each text; `-labels.npy` (N,) int64; `-lines.npy` (N,) int64 the byte offset of each text's line in
the JSONL. `packed/packed.json` records what the copy was made from.
"""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.files import file_sha256, write_json
from dlcli.data.text.lines import jsonl_file, numbered_lines, strings_of_line
from dlcli.data.text.vocabulary import Vocabulary

FOLDER = "packed"
INDEX = "packed.json"
SCHEMA = 1
VOCABULARY = "vocab.json"

_BLOCK = 2**20  # token ids
_BLOCK_TEXTS = 4096
_BLOCK_CHARACTERS = 2**20
_NAMES = ("ids", "offsets", "labels", "lines")

Numbers = Callable[[Sequence[str], Sequence[int]], Iterable[Sequence[int]]]
"""(texts, class indices) -> the token ids of each text, at least one."""


@dataclass(frozen=True)
class PackedTexts:
    """The packed copy of a split of N texts.

    Attributes:
        ids: (M,) int32 token ids, a memory map if it is on disk.
        offsets: (N + 1,) int64 offset of each text in `ids`, and the end of the last.
        labels: (N,) int64 class indices.
        lines: (N,) int64 byte offset of each text's line in the JSONL.
    """

    ids: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    lines: np.ndarray

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.lines)


def packed_file(root: Path, split: str, name: str) -> Path:
    """Return the path of an array of a split; `name` is a field of `PackedTexts`."""
    return root / FOLDER / f"{split}-{name}.npy"


def write_texts(path: Path, texts: Iterable[str]) -> None:
    """Write texts without labels, one JSON object per line."""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    with path.open("wb") as stream:
        for text in texts:
            stream.write(f'{{"text": {encode(text)}}}\n'.encode())


def write_jsonl(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write (text, label) pairs, one JSON object per line."""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    labels: dict[str, str] = {}
    with path.open("wb") as stream:
        for text, label in rows:
            if label not in labels:
                labels[label] = encode(label)
            stream.write(f'{{"text": {encode(text)}, "label": {labels[label]}}}\n'.encode())


def read_jsonl(path: Path, classes: Sequence[str]) -> Iterator[tuple[int, str, int]]:
    """Yield the byte offset of each text's line, the text, and its class index: 0 where there are no classes.

    Raises:
        DataError: the file is missing, or a line is not a text with a label of these classes; the message names it.
    """
    places = {name: index for index, name in enumerate(classes or ("",))}
    parse = parser(classes)
    for number, start, line in numbered_lines(path):
        text, label = (*parse(line, f"{path}: line {number:,}"), "")[:2]
        if label not in places:
            raise DataError(f"{path}: line {number:,}: the card has no class {label!r}")
        yield start, text, places[label]


def parser(classes: Sequence[str]) -> Callable[[bytes, str], tuple[str, ...]]:
    """Return the function (line, place for messages) -> its text, and its label if there are classes.

    It raises a DataError where the line is not a JSON object with both.
    """
    names = ("text", "label") if classes else ("text",)
    return lambda line, where: strings_of_line(line, names, where, may_be_blank=True)


def pack(root: Path, split: str, classes: Sequence[str], numbers: Numbers) -> None:
    """Write the packed copy of a split from its JSONL, streamed; a reader that has mapped the old one is not affected.

    Args:
        root: the prepared folder.
        split: name of the split.
        classes: the class names in order.
        numbers: tokenises and encodes texts.

    Raises:
        DataError: the JSONL is damaged.
        OSError: the folder is not writable.
    """
    (root / FOLDER).mkdir(exist_ok=True)
    partial = {name: packed_file(root, split, f"{name}.{os.getpid()}.partial") for name in _NAMES}
    try:
        with partial["ids"].open("wb") as stream:
            arrays = _collect(read_jsonl(jsonl_file(root, split), classes), numbers, _IdStream(stream))
        for name, values in arrays.items():
            with partial[name].open("wb") as stream:
                np.save(stream, np.frombuffer(values, dtype=np.int64))
        for name in _NAMES:
            partial[name].replace(packed_file(root, split, name))
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)


def pack_in_memory(root: Path, split: str, classes: Sequence[str], numbers: Numbers) -> PackedTexts:
    """Return the packed copy of a split without writing it, for folders that are not writable.

    Raises:
        DataError: the JSONL is damaged.
    """
    ids = array("i")
    arrays = _collect(read_jsonl(jsonl_file(root, split), classes), numbers, ids)
    others = {name: np.frombuffer(values, dtype=np.int64) for name, values in arrays.items()}
    return PackedTexts(np.frombuffer(ids, dtype=np.int32), **others)


class _IdStream:
    """An `.npy` file of int32 whose length is only known when it is closed."""

    def __init__(self, stream: BufferedWriter) -> None:
        self._stream = stream
        self._count = 0
        self._start = self._write_header()
        self._held = array("i")

    def extend(self, numbers: Sequence[int]) -> None:
        """Append token ids."""
        self._held.extend(numbers)
        if len(self._held) >= _BLOCK:
            self._flush()

    def _flush(self) -> None:
        self._stream.write(self._held.tobytes())
        self._count += len(self._held)
        del self._held[:]

    def close(self) -> None:
        """Write the buffered ids, and the length."""
        self._flush()
        self._stream.seek(0)
        assert self._write_header() == self._start  # numpy's header leaves room for a longer length

    def _write_header(self) -> int:
        np.lib.format.write_array_header_1_0(
            self._stream, {"descr": "<i4", "fortran_order": False, "shape": (self._count,)}
        )
        return self._stream.tell()


def _collect(
    rows: Iterable[tuple[int, str, int]], numbers: Numbers, ids: _IdStream | array[int]
) -> dict[str, array[int]]:
    """Append the token ids of all rows to `ids`; return the other arrays by name."""
    offsets, labels, lines = array("q", [0]), array("q"), array("q")
    end = 0
    for block in _blocks(rows):
        starts, texts, classes = zip(*block, strict=True)
        for row in numbers(texts, classes):
            ids.extend(row)
            end += len(row)
            offsets.append(end)
        labels.extend(classes)
        lines.extend(starts)
    if isinstance(ids, _IdStream):
        ids.close()
    return {"offsets": offsets, "labels": labels, "lines": lines}


def _blocks(rows: Iterable[tuple[int, str, int]]) -> Iterator[list[tuple[int, str, int]]]:
    """Yield blocks of up to 4,096 rows: a tokenizer is several times as fast on many texts at once."""
    block: list[tuple[int, str, int]] = []
    num_characters = 0
    for row in rows:
        block.append(row)
        num_characters += len(row[1])
        if num_characters >= _BLOCK_CHARACTERS or len(block) >= _BLOCK_TEXTS:
            yield block
            block, num_characters = [], 0
    if block:
        yield block


def id_blocks(path: Path) -> Iterator[np.ndarray]:
    """Yield blocks of up to 2**20 ids, (n,) int32, of an `.npy` file; a memory map would count as memory in use.

    Raises:
        ValueError: it is not an `.npy` file of int32.
    """
    with path.open("rb") as stream:
        _skip_header(stream)
        while (block := np.fromfile(stream, np.int32, _BLOCK)).size:
            yield block


def renumber(path: Path, places: np.ndarray) -> None:
    """Replace every id in an `.npy` file of int32 by its entry in `places`, (P,) int32."""
    with path.open("r+b") as stream:
        _skip_header(stream)
        while True:
            start = stream.tell()
            block = np.fromfile(stream, np.int32, _BLOCK)
            if not block.size:
                return
            stream.seek(start)
            stream.write(places[block].tobytes())


def _skip_header(stream: Any) -> None:
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("another version of the format")
    _, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype != np.int32 or is_fortran:
        raise ValueError("not int32")


def coding_digest(vocabulary: Vocabulary, spec: Mapping[str, Any]) -> str:
    """Return a digest of the vocabulary and tokenizer with which packed copies are made."""
    facts = json.dumps([vocabulary.tokens, spec], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()


def seal(root: Path, splits: Iterable[str], coding: str) -> None:
    """Record what the packed copies of these splits were made from; call it once the JSONL is complete."""
    entries = read_index(root)
    for split in splits:
        path = jsonl_file(root, split)
        facts = path.stat()
        entries[split] = {
            "bytes": facts.st_size,
            "changed_ns": facts.st_mtime_ns,
            "sha256": file_sha256(path),
            "coding": coding,
        }
    write_json(root / FOLDER / INDEX, {"schema": SCHEMA, "splits": entries})


def is_fresh(root: Path, split: str, coding: str) -> bool:
    """Return whether the packed copy of a split was made from the current JSONL, vocabulary and tokenizer.

    Equal size and modification time are trusted; if only the time differs, as after copying a folder, the content
    decides.
    """
    entry = read_index(root).get(split)
    if not isinstance(entry, dict) or entry.get("coding") != coding:
        return False
    facts = jsonl_file(root, split).stat()
    if entry.get("bytes") != facts.st_size:
        return False
    return entry.get("changed_ns") == facts.st_mtime_ns or entry.get("sha256") == file_sha256(jsonl_file(root, split))


def read_index(root: Path) -> dict[str, Any]:
    """Return split -> what its packed copy was made from; empty if there is no valid record."""
    try:
        value = json.loads((root / FOLDER / INDEX).read_text(encoding="utf-8"))
        return dict(value["splits"]) if value["schema"] == SCHEMA else {}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}
