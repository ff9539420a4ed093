"""Labelled texts in one CSV, TSV or JSONL file: cleaned, deduplicated, shuffled, split and tokenised.

The file is streamed. Texts are duplicates if they are equal once cleaned (outer whitespace, Unicode's normal form): one
row of each text remains, or none if its rows have different labels. The vocabulary comes from the training split
only. `--clean` cleans the texts before they are compared. `--strip-emoticons` replaces each emoticon by a space, so
that no token spans the gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.errors import DataError, UsageError
from dlcli.data.card import Card
from dlcli.data.importing.preparing import Report
from dlcli.data.text.columns import CSV, JSONL, TSV
from dlcli.data.text.rows import TextRows
from dlcli.data.text.stop_words import read_stop_words
from dlcli.datasets.text.coding import TextCleaning, look_over, tokenise
from dlcli.datasets.text.options import TextOptions
from dlcli.datasets.text.pool import Collecting, TextPool, collect, is_sorted_by_label, without_copies
from dlcli.datasets.text.splits import (
    class_notes,
    cut_splits,
    row_counts,
    row_notes,
    settle_classes,
    shuffled,
    write_splits,
)

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
        cleaning = TextCleaning(options)
        collecting = Collecting(path, options.max_bad, self.source.label_names, cleaning)
        pool = TextPool(folder / "texts.partial")
        with pool.path.open("wb") as stream:
            collect(pool, rows, stream, collecting, lambda number: report(f"{number:,} rows read"))
        if not len(pool.labels()):
            raise DataError(
                f"{path}: no usable row among {pool.num_rows:,}",
                details=[str(row)[:300] for row in pool.bad[:2]],
                hint="set other columns with --text-column and --label-column",
            )
        kept = without_copies(pool)
        classes, labels = settle_classes(pool, kept, collecting)
        parts = cut_splits(labels, valid=options.valid_fraction, test=options.test_fraction, seed=options.seed)
        counts = write_splits(pool, kept, classes, labels, shuffled(parts, options.seed), folder)
        doubt = [warning] if (warning := rows.encoding.warning(path)) else []
        notes = [*doubt, *rows.notes, *row_notes(pool, kept, rows.num_nul), *class_notes(classes, labels)]
        notes += cleaning.notes()
        pool.path.unlink()
        is_sorted = is_sorted_by_label(pool.labels())
        if is_sorted:
            notes.append("the rows are sorted by label: they were shuffled before splitting")
        details: dict[str, Any] = {
            "encoding": rows.encoding.name,
            "reading": rows.reading.to_json(),
            "rows": row_counts(pool, kept, rows.num_nul),
            "sorted_by_label": is_sorted,
            **({"cleaned": dict(cleaning.changed)} if options.clean else {}),
        }
        return Card("text", self.source.name or path.stem, classes, counts, details, warnings=tuple(notes))


def csv_importer(options: TextOptions) -> LabelledTextImporter:
    """Return the importer of `text-csv`."""
    return LabelledTextImporter(options, TextSource(None, CSV))


def tsv_importer(options: TextOptions) -> LabelledTextImporter:
    """Return the importer of `text-tsv`."""
    return LabelledTextImporter(options, TextSource(None, TSV))


def jsonl_importer(options: TextOptions) -> LabelledTextImporter:
    """Return the importer of `text-jsonl`."""
    return LabelledTextImporter(options, TextSource(None, JSONL))
