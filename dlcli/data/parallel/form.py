"""Reading the form "parallel": `train.jsonl`, `valid.jsonl`, `test.jsonl`, two tokenizers, and a packed copy.

A line is {"source": ..., "target": ...}; the packed copy (`writer.py`) holds the token ids of both. If the JSONL was
edited by hand, the copy is rebuilt with the same tokenizers: in the folder if it is writable, else in memory; the card
in memory then has the actual counts and a warning.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.card import CARD_NAME, Card, card_of, require_form
from dlcli.data.npy import load_npy
from dlcli.data.parallel.tokenizers import PAD, Tokenizer, share_vocabulary, tokenizer_from_json
from dlcli.data.parallel.writer import (
    SIDES,
    PackedPairs,
    coding_digest,
    encode_split,
    parse_pair,
    tokenizer_file,
    write_packed,
)
from dlcli.data.text.lines import are_offsets, are_spans, jsonl_file, open_splits, packed_of, read_asset, strings_at
from dlcli.data.text.writer import is_fresh, packed_file, seal

FORM = "parallel"
MAX_TOKENIZER_BYTES = 2**28


@dataclass(frozen=True)
class ParallelForm:
    """A prepared folder of sentence pairs.

    Attributes:
        root: the folder.
        card: its card, with the actual counts.
        tokenizers: "source" and "target" -> the tokenizer of that side.
    """

    root: Path
    card: Card
    tokenizers: Mapping[str, Tokenizer] = field(repr=False)
    _packed: Mapping[str, PackedPairs] = field(repr=False)

    @property
    def languages(self) -> dict[str, str]:
        """The codes of the languages of "source" and "target"."""
        return {side: self.tokenizers[side].cleaning.language for side in SIDES}

    @property
    def is_joint(self) -> bool:
        """Whether both sides have one vocabulary."""
        return share_vocabulary(self.tokenizers["source"], self.tokenizers["target"])

    def splits(self) -> tuple[str, ...]:
        """Return the existing splits among "train", "valid" and "test", in this order."""
        return tuple(self._packed)

    def num_pairs(self, split: str) -> int:
        """Return the number of pairs of a split.

        Raises:
            DataError: there is no such split.
        """
        return len(self._of(split))

    def ids(self, split: str, side: str) -> np.ndarray:
        """Return the token ids of all sentences of a side, concatenated, (M,) int32 in [1, size), no start and no end.

        Raises:
            DataError: there is no such split.
        """
        return self._of(split).ids[side]

    def offsets(self, split: str, side: str) -> np.ndarray:
        """Return the offset in `ids` of each sentence, and the end of the last, (N + 1,) int64, strictly increasing.

        Raises:
            DataError: there is no such split.
        """
        return self._of(split).offsets[side]

    def lengths(self, split: str, side: str) -> np.ndarray:
        """Return the number of tokens of each sentence of a side, (N,) int64, without start and end.

        Raises:
            DataError: there is no such split.
        """
        return np.diff(self.offsets(split, side))

    def sentences(self, split: str, rows: Sequence[int] | np.ndarray) -> list[tuple[str, str]]:
        """Return the source and target of these rows, in the given order.

        Raises:
            DataError: there is no such split, or the file has changed since it was opened.
            IndexError: there is no such row.
        """
        starts = self._of(split).lines[np.asarray(rows, dtype=np.int64)]
        return strings_at(jsonl_file(self.root, split), starts, parse_pair)

    def _of(self, split: str) -> PackedPairs:
        return packed_of(self._packed, split, self.root)


def open_parallel(folder: Path) -> ParallelForm:
    """Return the reader of a prepared dataset of sentence pairs.

    Raises:
        DataError: the folder is missing, holds no prepared pairs, or does not match its card.
    """
    card = card_of(folder, "pairs-tsv")
    if card is None:
        raise DataError(
            f"{folder}: holds no prepared sentence pairs (no {CARD_NAME})",
            hint="make them with `dl prepare anki FILE`, or pairs-tsv, or pairs-text",
        )
    return form_of(folder, card)


def form_of(root: Path, card: Card) -> ParallelForm:
    """Return the reader of a folder with this card.

    Raises:
        DataError: the folder does not match the card.
    """
    again = f"prepare the data again: {card.command or f'dl prepare {card.name} SOURCE'}"
    require_form(card, root, FORM, "sentence pairs")
    tokenizers = {side: _read_tokenizer(tokenizer_file(root, side), again) for side in SIDES}
    packed = open_splits(
        root, card.splits, lambda split: _open_split(root, split, tokenizers), noun="pairs", again=again
    )
    return ParallelForm(root, _recounted(card, packed), tokenizers, packed)


def _read_tokenizer(path: Path, again: str) -> Tokenizer:
    return read_asset(path, tokenizer_from_json, max_bytes=MAX_TOKENIZER_BYTES, noun="tokenizer", again=again)


def _recounted(card: Card, packed: Mapping[str, PackedPairs]) -> Card:
    """Return the card with the actual counts, and a warning for each split in which they differ."""
    counts = {split: len(arrays) for split, arrays in packed.items()}
    warnings = [
        f"{split}: {now:,} pairs found, {card.num_items(split):,} were prepared; those found are used"
        for split, now in counts.items()
        if now != card.num_items(split)
    ]
    return dataclasses.replace(card, items=counts, warnings=(*card.warnings, *warnings))


def _open_split(root: Path, split: str, tokenizers: Mapping[str, Tokenizer]) -> PackedPairs:
    """Return the packed copy of a split, rebuilt if it is missing, stale or damaged."""
    coding = coding_digest(tokenizers)
    if is_fresh(root, split, coding):
        found = _load(root, split, tokenizers)
        if found is not None:
            return found
    packed = encode_split(root, split, tokenizers)
    try:
        write_packed(root, split, packed)
        seal(root, [split], coding)
    except OSError:  # the folder is not writable (shared, read-only, full): the copy is only for speed
        return packed
    return _load(root, split, tokenizers) or packed


def _load(root: Path, split: str, tokenizers: Mapping[str, Tokenizer]) -> PackedPairs | None:
    """Return the packed copy on disk, or None if it is missing or invalid."""
    lines = load_npy(packed_file(root, split, "lines"))
    ids = {side: load_npy(packed_file(root, split, f"{side}-ids"), is_mapped=True) for side in SIDES}
    offsets = {side: load_npy(packed_file(root, split, f"{side}-offsets")) for side in SIDES}
    known_ids = {side: array for side, array in ids.items() if array is not None}
    known_offsets = {side: array for side, array in offsets.items() if array is not None}
    if lines is None or len(known_ids) < len(SIDES) or len(known_offsets) < len(SIDES):
        return None
    packed = PackedPairs(known_ids, known_offsets, lines)
    try:
        num_bytes = jsonl_file(root, split).stat().st_size
    except OSError:
        return None
    are_sides = all(
        _is_possible(known_ids[side], known_offsets[side], len(lines), tokenizers[side].size) for side in SIDES
    )
    return packed if are_sides and are_offsets(lines, num_bytes - 1) else None


def _is_possible(ids: np.ndarray, offsets: np.ndarray, num_pairs: int, size: int) -> bool:
    if ids.dtype != np.int32 or ids.ndim != 1 or not len(ids):
        return False
    return bool(are_spans(offsets, num_pairs, len(ids)) and ids.min() > PAD and ids.max() < size)
