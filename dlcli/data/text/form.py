"""Reading the form "text": `train.jsonl`, `valid.jsonl`, `test.jsonl`, a vocabulary, and a packed copy.

A line is {"text": ..., "label": ...}, or {"text": ...} where the card has no classes; the packed copy (`writer.py`)
holds its token ids. If the JSONL was edited by hand, the copy is rebuilt with the same vocabulary and tokenizer: in the
folder if it is writable, else in memory; the card in memory then has the actual counts and a warning. A label that is
not on the card, or a missing split, is an error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError, RunError
from dlcli.data.card import CARD_NAME, Card, card_of, require_form
from dlcli.data.npy import load_npy
from dlcli.data.text import writer as text_writer
from dlcli.data.text.lines import are_offsets, are_spans, jsonl_file, open_splits, packed_of, read_asset, strings_at
from dlcli.data.text.vocabulary import PAD, Vocabulary
from dlcli.data.text.writer import PackedTexts, packed_file

MAX_VOCABULARY_BYTES = 2**28


@dataclass(frozen=True)
class TextForm:
    """A prepared folder of texts, labelled or not.

    Attributes:
        root: the folder.
        card: its card, with the actual counts.
    """

    root: Path
    card: Card
    _vocabulary: Vocabulary = field(repr=False)
    _packed: Mapping[str, PackedTexts] = field(repr=False)

    def splits(self) -> tuple[str, ...]:
        """Return the existing splits among "train", "valid" and "test", in this order."""
        return tuple(self._packed)

    def ids(self, split: str) -> np.ndarray:
        """Return the token ids of all texts, concatenated, (M,) int32 in [1, vocabulary size).

        Raises:
            DataError: there is no such split.
        """
        return self._of(split).ids

    def offsets(self, split: str) -> np.ndarray:
        """Return the offset in `ids` of each text, and the end of the last, (N + 1,) int64, strictly increasing.

        Raises:
            DataError: there is no such split.
        """
        return self._of(split).offsets

    def labels(self, split: str) -> np.ndarray:
        """Return the class index of each text, (N,) int64; 0 where there are no classes.

        Raises:
            DataError: there is no such split.
        """
        return self._of(split).labels

    def texts(self, split: str, rows: Sequence[int]) -> list[str]:
        """Return the texts of these rows, in the given order.

        Raises:
            DataError: there is no such split, or the file has changed since it was opened.
            IndexError: there is no such row.
        """
        starts = self._of(split).lines[np.asarray(rows, dtype=np.int64)]
        parse = text_writer.parser(self.card.classes)
        return [row[0] for row in strings_at(jsonl_file(self.root, split), starts, parse)]

    def vocabulary(self) -> Vocabulary:
        """Return the vocabulary of the token ids."""
        return self._vocabulary

    def tokenizer_spec(self) -> dict[str, Any]:
        """Return the specification of the tokenizer, for `build_tokenizer`."""
        return dict(self.card.details["tokenizer"])

    def _of(self, split: str) -> PackedTexts:
        return packed_of(self._packed, split, self.root)


def open_texts(folder: Path) -> TextForm:
    """Return the reader of a prepared dataset of texts.

    Raises:
        DataError: the folder is missing, holds no prepared texts, or does not match its card.
    """
    card = card_of(folder, "text-csv")
    if card is None:
        raise DataError(
            f"{folder}: holds no prepared texts (no {CARD_NAME})",
            hint="make them with `dl prepare text-csv FILE`, or text-tsv, or text-jsonl",
        )
    return form_of(folder, card)


def form_of(root: Path, card: Card) -> TextForm:
    """Return the reader of a folder with this card.

    Raises:
        DataError: the folder does not match the card.
    """
    again = f"prepare the data again: {card.command or f'dl prepare {card.name} SOURCE'}"
    require_form(card, root, "text", "texts")
    is_unlabelled = isinstance(card.details.get("task"), str)  # its card names the task that needs no labels
    if not (card.classes or is_unlabelled) or len(set(card.classes)) != len(card.classes):
        raise DataError(f"{root / CARD_NAME}: the classes are empty or not distinct", hint=again)
    spec = card.details.get("tokenizer")
    if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
        raise DataError(f"{root / CARD_NAME}: names no tokenizer", hint=again)
    vocabulary = _read_vocabulary(root / text_writer.VOCABULARY, again)
    packed = open_splits(
        root,
        card.splits,
        lambda split: _open_split(root, split, card.classes, vocabulary, spec),
        noun="texts",
        again=again,
    )
    return TextForm(root, _recounted(card, packed), vocabulary, packed)


def _read_vocabulary(path: Path, again: str) -> Vocabulary:
    return read_asset(path, Vocabulary.from_json, max_bytes=MAX_VOCABULARY_BYTES, noun="vocabulary", again=again)


def _recounted(card: Card, packed: Mapping[str, PackedTexts]) -> Card:
    """Return the card with the actual counts, and a warning for each split in which they differ."""
    counts, items, warnings = {}, {}, []
    for split, arrays in packed.items():
        before, now = card.num_items(split), len(arrays.labels)
        is_changed = before != now
        if card.classes:
            found = np.bincount(arrays.labels, minlength=len(card.classes)).tolist()
            counts[split] = dict(zip(card.classes, found, strict=True))
            is_changed = any(count != card.counts[split].get(name, 0) for name, count in counts[split].items())
        else:
            items[split] = now
        if is_changed:
            warnings.append(f"{split}: {now:,} texts found, {before:,} were prepared; those found are used")
    return dataclasses.replace(card, counts=counts, items=items, warnings=(*card.warnings, *warnings))


def _open_split(
    root: Path, split: str, classes: Sequence[str], vocabulary: Vocabulary, spec: Mapping[str, Any]
) -> PackedTexts:
    """Return the packed copy of a split, rebuilt if it is missing, stale or damaged."""
    coding = text_writer.coding_digest(vocabulary, spec)
    if text_writer.is_fresh(root, split, coding):
        found = _load(root, split, max(len(classes), 1), len(vocabulary))
        if found is not None:
            return found
    numbers = _numbers(vocabulary, spec, root)
    try:
        text_writer.pack(root, split, classes, numbers)
        text_writer.seal(root, [split], coding)
    except OSError:  # the folder is not writable (shared, read-only, full): the copy is only for speed
        return text_writer.pack_in_memory(root, split, classes, numbers)
    found = _load(root, split, max(len(classes), 1), len(vocabulary))
    return found if found is not None else text_writer.pack_in_memory(root, split, classes, numbers)


def _numbers(vocabulary: Vocabulary, spec: Mapping[str, Any], root: Path) -> text_writer.Numbers:
    from dlcli.data.text.tokenizing.tokenizer import build_tokenizer

    try:
        tokenizer = build_tokenizer(spec)
    except RunError as error:
        raise DataError(f"{root / CARD_NAME}: {error.message}", hint=error.hint or "prepare the data again") from None
    return lambda texts, _labels: map(vocabulary.numbers, tokenizer.tokens_of_all(texts))


def _load(root: Path, split: str, num_classes: int, vocab_size: int) -> PackedTexts | None:
    """Return the packed copy on disk, or None if it is missing or invalid."""
    ids = load_npy(packed_file(root, split, "ids"), is_mapped=True)
    offsets, labels, lines = (load_npy(packed_file(root, split, name)) for name in ("offsets", "labels", "lines"))
    if ids is None or offsets is None or labels is None or lines is None:
        return None
    packed = PackedTexts(ids, offsets, labels, lines)
    try:
        num_bytes = jsonl_file(root, split).stat().st_size
        return packed if _is_possible(packed, num_classes, num_bytes) and _are_tokens(root, split, vocab_size) else None
    except (OSError, ValueError):
        return None


def _is_possible(packed: PackedTexts, num_classes: int, num_bytes: int) -> bool:
    ids, labels = packed.ids, packed.labels
    if ids.dtype != np.int32 or labels.dtype != np.int64 or ids.ndim != 1 or labels.ndim != 1:
        return False
    return bool(
        len(packed.lines) == len(labels)
        and are_offsets(packed.lines, num_bytes - 1)
        and are_spans(packed.offsets, len(labels), len(ids))
        and labels.min() >= 0
        and labels.max() < num_classes
    )


def _are_tokens(root: Path, split: str, vocab_size: int) -> bool:
    blocks = text_writer.id_blocks(packed_file(root, split, "ids"))
    return all(block.min() > PAD and block.max() < vocab_size for block in blocks)
