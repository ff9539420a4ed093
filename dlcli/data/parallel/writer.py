"""Writing the form "parallel": JSONL for people, the tokenizers, and the packed copy of token ids.

`packed/<split>-<side>-ids.npy` (M,) int32 holds the ids of a side's tokens, concatenated, without start and end, and
`packed/<split>-<side>-offsets.npy` (N + 1,) int64 the offset of each sentence; `packed/<split>-lines.npy` (N,) int64
the byte offset of each pair's line in the JSONL. `packed/packed.json` records what the copy was made from.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from dlcli.core.files import atomic_file, write_json
from dlcli.data.parallel.tokenizers import Tokenizer
from dlcli.data.text.lines import jsonl_file, numbered_lines, strings_of_line
from dlcli.data.text.writer import FOLDER, packed_file, seal

SIDES = ("source", "target")

_BLOCK = 4096
"""Pairs that are encoded together: tokenizers are faster on many sentences at once."""


@dataclass(frozen=True)
class PackedPairs:
    """The packed copy of a split of N pairs.

    Attributes:
        ids: side -> (M,) int32 token ids, a memory map if it is on disk.
        offsets: side -> (N + 1,) int64 offset of each sentence in `ids`, and the end of the last.
        lines: (N,) int64 byte offset of each pair's line in the JSONL.
    """

    ids: Mapping[str, np.ndarray]
    offsets: Mapping[str, np.ndarray]
    lines: np.ndarray

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.lines)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by the names of their files."""
        sides = {f"{side}-{name}": getattr(self, name)[side] for side in SIDES for name in ("ids", "offsets")}
        return {**sides, "lines": self.lines}


def tokenizer_file(root: Path, side: str) -> Path:
    """Return the path of a side's tokenizer."""
    return root / f"tokenizer-{side}.json"


def write_form(
    root: Path, splits: Mapping[str, Sequence[tuple[str, str]]], tokenizers: Mapping[str, Tokenizer]
) -> dict[str, PackedPairs]:
    """Write everything of the form except its card into a folder; return the packed copies.

    Args:
        root: the folder.
        splits: "train", "valid" and "test" -> the pairs of source and target; a split may be missing.
        tokenizers: "source" and "target" -> the tokenizer of that side.
    """
    for side in SIDES:
        write_json(tokenizer_file(root, side), tokenizers[side].to_json())
    packed = {}
    for split, pairs in splits.items():
        write_pairs(jsonl_file(root, split), pairs)
        packed[split] = encode_split(root, split, tokenizers)
        write_packed(root, split, packed[split])
    seal(root, splits, coding_digest(tokenizers))
    return packed


def write_pairs(path: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Write pairs of source and target, one JSON object per line."""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    with path.open("wb") as stream:
        for source, target in pairs:
            stream.write(f'{{"source": {encode(source)}, "target": {encode(target)}}}\n'.encode())


def read_pairs(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield the byte offset of each pair's line, the source and the target.

    Raises:
        DataError: the file is missing, or a line holds no pair; the message names it.
    """
    for number, start, line in numbered_lines(path):
        source, target = parse_pair(line, f"{path}: line {number:,}")
        yield start, source, target


def parse_pair(line: bytes, where: str) -> tuple[str, str]:
    """Return the source and the target of a line.

    Raises:
        DataError: the line is not a JSON object with two sentences.
    """
    source, target = strings_of_line(line, SIDES, where, may_be_blank=False)
    return source, target


def encode_split(root: Path, split: str, tokenizers: Mapping[str, Tokenizer]) -> PackedPairs:
    """Return the packed copy of a split from its JSONL, in memory.

    Raises:
        DataError: the JSONL is damaged.
    """
    ids = {side: array("i") for side in SIDES}
    offsets = {side: array("q", [0]) for side in SIDES}
    lines = array("q")
    rows = read_pairs(jsonl_file(root, split))
    while block := list(islice(rows, _BLOCK)):
        starts, *texts = zip(*block, strict=True)
        lines.extend(starts)
        for side, sentences in zip(SIDES, texts, strict=True):
            for numbers in tokenizers[side].encode_all(sentences):
                ids[side].extend(numbers)
                offsets[side].append(len(ids[side]))
    return PackedPairs(
        {side: np.frombuffer(ids[side], np.int32) for side in SIDES},
        {side: np.frombuffer(offsets[side], np.int64) for side in SIDES},
        np.frombuffer(lines, np.int64),
    )


def write_packed(root: Path, split: str, packed: PackedPairs) -> None:
    """Write the packed copy of a split; a reader that has mapped the old one is not affected.

    Raises:
        OSError: the folder is not writable.
    """
    (root / FOLDER).mkdir(exist_ok=True)
    for name, values in packed.arrays().items():
        with atomic_file(packed_file(root, split, name)) as stream:
            np.save(stream, values)


def coding_digest(tokenizers: Mapping[str, Tokenizer]) -> str:
    """Return a digest of the tokenizers with which packed copies are made."""
    facts = [
        [tokenizers[side].kind, tokenizers[side].vocabulary, tokenizers[side].cleaning.to_json()] for side in SIDES
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
