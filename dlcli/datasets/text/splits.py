"""From the texts of a pool to the JSONL of each split, and what is said about the rows that are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.parts import stratified_part
from dlcli.data.text import writer as text_writer
from dlcli.data.text.lines import SPLITS, jsonl_file
from dlcli.datasets.text.pool import Collecting, Kept, TextPool, class_order


def cut_splits(labels: np.ndarray, *, valid: float, test: float, seed: int) -> dict[str, np.ndarray]:
    """Return the indices of each split, ascending: seeded fractions of every class for `valid` and `test`.

    Args:
        labels: (K,) class indices.
        valid, test: fractions of all texts.
        seed: of the choice.
    """
    is_test = stratified_part(labels, test, seed)
    rest = np.flatnonzero(~is_test)
    is_valid = stratified_part(labels[rest], valid / (1 - test), seed)
    return {"train": rest[~is_valid], "valid": rest[is_valid], "test": np.flatnonzero(is_test)}


def shuffled(parts: Mapping[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """Return the indices of each split that has any, in a seeded order."""
    generators = {split: np.random.default_rng([seed, number]) for number, split in enumerate(SPLITS)}
    return {split: generators[split].permutation(part) for split, part in parts.items() if len(part)}


def write_splits(
    pool: TextPool,
    kept: Kept,
    classes: Sequence[str],
    labels: np.ndarray,
    parts: Mapping[str, np.ndarray],
    folder: Path,
) -> dict[str, dict[str, int]]:
    """Write the JSONL of each split; return the number of texts of each class in it.

    Args:
        pool, kept: the texts.
        classes: C class names.
        labels: (K,) class index of each text of `kept`.
        parts: indices into `labels`, by split.
        folder: the prepared form.
    """
    counts: dict[str, dict[str, int]] = {}
    for split, part in parts.items():
        sizes = np.bincount(labels[part], minlength=len(classes)).tolist()
        counts[split] = dict(zip(classes, sizes, strict=True))
        names = (classes[label] for label in labels[part].tolist())
        texts = pool.texts(kept.rows[part])
        text_writer.write_jsonl(jsonl_file(folder, split), zip(texts, names, strict=True))
    return counts


def settle_classes(pool: TextPool, kept: Kept, collecting: Collecting) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the sorted classes that have texts, and the class index of each remaining text, (K,) int64.

    Raises:
        DataError: there are fewer than two classes.
    """
    names = list(pool.names)
    own = pool.labels()[kept.rows]
    present = [names[number] for number in np.unique(own).tolist()]
    if len(present) < 2:
        raise DataError(
            f"{collecting.where}: texts of {len(present)} classes are left; a classifier needs two",
            details=[f"labels: {', '.join(names[:5])}"],
            hint=collecting.label_hint,
        )
    classes = tuple(class_order(present))
    numbers = {name: number for number, name in enumerate(classes)}
    return classes, np.array([numbers.get(name, -1) for name in names], dtype=np.int64)[own]


def row_counts(pool: TextPool, kept: Kept, num_nul: int) -> dict[str, int]:
    """Return the counts of rows that the card has."""
    return {
        "read": pool.num_rows,
        "broken": pool.num_bad,
        "only_emoticons": pool.num_stripped,
        "duplicates": kept.num_duplicates,
        "of_two_labels": kept.num_two_label_rows,
        "kept": len(kept.rows),
        "nul_bytes": num_nul,
    }


def row_notes(pool: TextPool, kept: Kept, num_nul: int = 0, noun: str = "rows") -> list[str]:
    """Return the notes on rows that were left out; `noun` is the plural noun for rows."""
    notes = []
    if pool.num_bad:
        notes.append(f"{pool.num_bad:,} of {pool.num_rows:,} {noun} are broken and were skipped")
        notes += [f"skipped {row}"[:300] for row in pool.bad]
    if num_nul:
        notes.append(f"{num_nul:,} NUL bytes were removed")
    if pool.num_stripped:
        notes.append(f"{pool.num_stripped:,} texts consist of emoticons or markup only: removed")
    if kept.num_duplicates:
        notes.append(f"{kept.num_duplicates:,} {noun} duplicate an earlier text: removed")
    if kept.num_two_labels:
        examples = ", ".join(repr(_shortened(text)) for text in pool.texts(kept.two_labels))
        notes.append(
            f"{kept.num_two_labels:,} texts have several labels: all their {kept.num_two_label_rows:,} {noun} were"
            f" removed, for example {examples}"
        )
    return notes


def class_notes(classes: Sequence[str], labels: np.ndarray) -> list[str]:
    """Return a note on classes with a single text; [] if there is none."""
    sizes = np.bincount(labels, minlength=len(classes))
    single = [name for name, size in zip(classes, sizes.tolist(), strict=True) if size == 1]
    if not single:
        return []
    shown = ", ".join(single[:5]) + (", ..." if len(single) > 5 else "")
    return [f"classes with a single text, which is in train only: {shown} ({len(single):,} of {len(classes):,})"]


def _shortened(text: str, most: int = 30) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
