"""Labelled texts in one CSV, TSV or JSONL file: cleaned, deduplicated, shuffled, split and tokenised.

The file is streamed. Texts are duplicates if they are equal once cleaned (outer whitespace, Unicode's normal form): one
row of each text remains, or none if its rows have different labels. The vocabulary comes from the training split
only. `--strip-emoticons` replaces each emoticon by a space, so that no token spans the gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError, UsageError
from dlcli.data.card import Card
from dlcli.data.importing.preparing import Report
from dlcli.data.parts import stratified_part
from dlcli.data.text import writer as text_writer
from dlcli.data.text.columns import CSV, JSONL, TSV
from dlcli.data.text.form import SPLITS
from dlcli.data.text.rows import TextRows
from dlcli.data.text.stop_words import read_stop_words
from dlcli.data.text.tokenizing.kinds import split_units
from dlcli.datasets.text.coding import EMOTICON, look_over, tokenise
from dlcli.datasets.text.options import TextOptions
from dlcli.datasets.text.pool import Kept, TextPool, class_order, collect, is_sorted_by_label, without_copies

_SUFFIXES = {CSV: (".csv",), TSV: (".tsv", ".tab", ".txt"), JSONL: (".jsonl", ".ndjson", ".json")}


@dataclass(frozen=True)
class TextSource:
    """What distinguishes one dataset of labelled texts.

    Attributes:
        name: the dataset's name; None names the card after the file.
        kind: CSV, TSV or JSONL.
        label_names: label in the file -> class name; None accepts any label.
    """

    name: str | None
    kind: str
    label_names: dict[str, str] | None = None


class LabelledTextImporter:
    """Importer of one file of labelled texts; see `dlcli.data.importing.preparing.Importer`."""

    def __init__(self, options: TextOptions, source: TextSource) -> None:
        self.options = options
        self.source = source
        if options.valid_fraction + options.test_fraction > 0.95:
            raise UsageError("--valid-fraction and --test-fraction leave less than 5 % of the texts to train on")

    def locate(self, source: Path | None) -> list[Path]:
        """Return the file and the stop word file, so that a change to either is noticed.

        Raises:
            DataError: either is missing, or the folder does not hold exactly one such file.
        """
        suffixes = _SUFFIXES[self.source.kind]
        if source is None:
            raise DataError(f"name the SOURCE: a {suffixes[0]} file of texts and labels")
        if source.is_dir():
            found = sorted(path for path in source.iterdir() if path.suffix.lower() in suffixes and path.is_file())
            if len(found) != 1:
                raise DataError(
                    f"{source}: {len(found)} {suffixes[0]} files in this folder",
                    details=[f"found: {', '.join(path.name for path in found[:5])}"] if found else [],
                    hint="name the file",
                )
            [source] = found
        if not source.is_file():
            raise DataError(f"{source}: no such file", hint=f"SOURCE is a {suffixes[0]} file of texts and labels")
        stop_words = [Path(self.options.stopwords)] if self.options.stopwords else []
        if stop_words and not stop_words[0].is_file():
            raise DataError(f"{stop_words[0]}: no such file", hint="--stopwords takes a file with one word per line")
        return [source, *stop_words]

    def space_needed(self, files: list[Path]) -> int:
        """Return roughly how many bytes the form takes at its peak: the texts twice, their ids, the sorting."""
        return 4 * files[0].stat().st_size

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Write the JSONL splits, the vocabulary and the packed copies, and return the card.

        Raises:
            DataError: no row is usable, more than `max_bad` are broken, or there are fewer than two classes.
        """
        stop_words = read_stop_words(files[1]) if files[1:] else ()
        card = self._write_splits(files[0], folder, report)
        num_texts = sum(map(card.num_items, card.counts))
        report(f"{num_texts:,} texts in {len(card.classes)} classes: tokenising")
        return look_over(tokenise(card, folder, self.options, stop_words), folder)

    def _write_splits(self, path: Path, folder: Path, report: Report) -> Card:
        """Write the JSONL of each split; return the card with counts and notes."""
        options = self.options
        rows = TextRows(
            path,
            self.source.kind,
            text_column=options.text_column,
            label_column=options.label_column,
            encoding=options.encoding,
        )
        report(f"{path}: {rows.encoding.name}, texts in column {rows.columns.text}, labels in {rows.columns.label}")
        pool = collect(
            rows,
            folder / "texts.partial",
            label_names=self.source.label_names,
            strip=without_emoticons if options.strip_emoticons else None,
            max_bad=options.max_bad,
            say_every=lambda number: report(f"{number:,} rows read"),
        )
        if not len(pool.labels()):
            raise DataError(
                f"{path}: no usable row among {pool.num_rows:,}",
                details=[f"line {row.line:,}: {row.reason}" for row in pool.bad[:2]],
                hint="set other columns with --text-column and --label-column",
            )
        kept = without_copies(pool)
        classes, labels = _settle_classes(pool, kept, path)
        counts: dict[str, dict[str, int]] = {}
        for split, part in self._split(labels).items():
            sizes = np.bincount(labels[part], minlength=len(classes)).tolist()
            counts[split] = dict(zip(classes, sizes, strict=True))
            names = (classes[label] for label in labels[part].tolist())
            texts = pool.texts(kept.rows[part])
            text_writer.write_jsonl(text_writer.jsonl_file(folder, split), zip(texts, names, strict=True))
        doubt = [warning] if (warning := rows.encoding.warning(path)) else []
        notes = [*doubt, *rows.notes, *_row_notes(pool, kept, rows.num_nul), *_class_notes(classes, labels)]
        pool.path.unlink()
        is_sorted = is_sorted_by_label(pool.labels())
        if is_sorted:
            notes.append("the rows are sorted by label: they were shuffled before splitting")
        details: dict[str, Any] = {
            "encoding": rows.encoding.name,
            "reading": rows.reading.to_json(),
            "rows": _row_counts(pool, kept, rows.num_nul),
            "sorted_by_label": is_sorted,
        }
        return Card("text", self.source.name or path.stem, classes, counts, details, warnings=tuple(notes))

    def _split(self, labels: np.ndarray) -> dict[str, np.ndarray]:
        """Return the shuffled indices into `labels` of each split that has texts."""
        options = self.options
        is_test = stratified_part(labels, options.test_fraction, options.seed)
        rest = np.flatnonzero(~is_test)
        fraction = options.valid_fraction / (1 - options.test_fraction)
        is_valid = stratified_part(labels[rest], fraction, options.seed)
        parts = {"train": rest[~is_valid], "valid": rest[is_valid], "test": np.flatnonzero(is_test)}
        generators = {split: np.random.default_rng([options.seed, number]) for number, split in enumerate(SPLITS)}
        return {split: generators[split].permutation(part) for split, part in parts.items() if len(part)}


def csv_importer(options: TextOptions) -> LabelledTextImporter:
    """Return the importer of `text-csv`."""
    return LabelledTextImporter(options, TextSource(None, CSV))


def tsv_importer(options: TextOptions) -> LabelledTextImporter:
    """Return the importer of `text-tsv`."""
    return LabelledTextImporter(options, TextSource(None, TSV))


def jsonl_importer(options: TextOptions) -> LabelledTextImporter:
    """Return the importer of `text-jsonl`."""
    return LabelledTextImporter(options, TextSource(None, JSONL))


def without_emoticons(text: str) -> str:
    """Return the text with a space in place of each emoticon such as [哈哈]."""
    if "[" not in text:
        return text
    return "".join(" " if kind == EMOTICON else piece for piece, kind in split_units(text))


def _settle_classes(pool: TextPool, kept: Kept, path: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the sorted classes that have texts, and the class index of each remaining text, (K,) int64.

    Raises:
        DataError: there are fewer than two classes.
    """
    names = list(pool.names)
    own = pool.labels()[kept.rows]
    present = [names[number] for number in np.unique(own).tolist()]
    if len(present) < 2:
        raise DataError(
            f"{path}: texts of {len(present)} classes are left; a classifier needs two",
            details=[f"labels: {', '.join(names[:5])}"],
            hint="is this the column of labels? set it with --label-column",
        )
    classes = tuple(class_order(present))
    numbers = {name: number for number, name in enumerate(classes)}
    return classes, np.array([numbers.get(name, -1) for name in names], dtype=np.int64)[own]


def _row_counts(pool: TextPool, kept: Kept, num_nul: int) -> dict[str, int]:
    return {
        "read": pool.num_rows,
        "broken": pool.num_bad,
        "only_emoticons": pool.num_stripped,
        "duplicates": kept.num_duplicates,
        "of_two_labels": kept.num_two_label_rows,
        "kept": len(kept.rows),
        "nul_bytes": num_nul,
    }


def _row_notes(pool: TextPool, kept: Kept, num_nul: int) -> list[str]:
    notes = []
    if pool.num_bad:
        notes.append(f"{pool.num_bad:,} of {pool.num_rows:,} rows are broken and were skipped")
        notes += [f"skipped line {row.line:,}: {row.reason}" for row in pool.bad]
    if num_nul:
        notes.append(f"{num_nul:,} NUL bytes were removed")
    if pool.num_stripped:
        notes.append(f"{pool.num_stripped:,} texts consist of emoticons only: removed")
    if kept.num_duplicates:
        notes.append(f"{kept.num_duplicates:,} rows duplicate an earlier text: removed")
    if kept.num_two_labels:
        examples = ", ".join(repr(_shortened(text)) for text in pool.texts(kept.two_labels))
        notes.append(
            f"{kept.num_two_labels:,} texts have several labels: all their {kept.num_two_label_rows:,} rows were"
            f" removed, for example {examples}"
        )
    return notes


def _class_notes(classes: Sequence[str], labels: np.ndarray) -> list[str]:
    sizes = np.bincount(labels, minlength=len(classes))
    single = [name for name, size in zip(classes, sizes.tolist(), strict=True) if size == 1]
    if not single:
        return []
    shown = ", ".join(single[:5]) + (", ..." if len(single) > 5 else "")
    return [f"classes with a single text, which is in train only: {shown} ({len(single):,} of {len(classes):,})"]


def _shortened(text: str, most: int = 30) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
