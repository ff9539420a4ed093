"""Texts in files of their own, one folder per class, with or without split folders; `files` says which are read.

A text that is in several splits stays in the test split, else in the validation split, so that nothing that is measured
was trained on; in other respects texts are treated like the rows of a file (`labelled`). The splits of the folder are
used: a missing validation split is cut from the training split, and so is the test split where there is none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError, UsageError
from dlcli.core.wording import printable
from dlcli.data.card import Card
from dlcli.data.importing.preparing import Report
from dlcli.data.text.columns import FILE, Reading
from dlcli.data.text.stop_words import read_stop_words
from dlcli.data.walking import list_files
from dlcli.datasets.text.coding import TextCleaning, look_over, tokenise
from dlcli.datasets.text.files import FoundTexts, TextFileReader, find_texts
from dlcli.datasets.text.options import TextFolderOptions
from dlcli.datasets.text.pool import Collecting, Kept, TextPool, collect, without_copies
from dlcli.datasets.text.splits import (
    class_notes,
    cut_splits,
    row_counts,
    row_notes,
    settle_classes,
    shuffled,
    write_splits,
)

_MEASURED_FIRST = ("test", "valid", "train")


class TextFolderImporter:
    """Importer of class folders of text files; see `dlcli.data.importing.preparing.Importer`."""

    def __init__(self, options: TextFolderOptions) -> None:
        self.options = options
        if options.valid_fraction + options.test_fraction > 0.95:
            raise UsageError("--valid-fraction and --test-fraction leave less than 5 % of the texts to train on")

    def locate(self, source: Path | None) -> list[Path]:
        """Return the folder and the stop word file.

        Raises:
            DataError: either is missing.
        """
        if source is None or not source.is_dir():
            where = "text-folder needs a SOURCE" if source is None else f"{source}: no such folder"
            raise DataError(where, hint="SOURCE holds one folder of text files per class")
        stop_words = [Path(self.options.stopwords)] if self.options.stopwords else []
        if stop_words and not stop_words[0].is_file():
            raise DataError(f"{stop_words[0]}: no such file", hint="--stopwords takes a file with one word per line")
        return [source, *stop_words]

    def space_needed(self, files: list[Path]) -> int:
        """Return roughly how many bytes the form takes at its peak: the texts twice, their ids, the sorting."""
        return 4 * sum((files[0] / name).stat().st_size for name in list_files(files[0], []))

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Write the JSONL splits, the vocabulary and the packed copies, and return the card.

        Raises:
            DataError: there are no texts by class, more than `max_bad` unusable files, or fewer than two classes.
        """
        stop_words = read_stop_words(files[1]) if files[1:] else ()
        card = self._write_splits(files[0], folder, report)
        report(f"{sum(map(card.num_items, card.counts)):,} texts in {len(card.classes)} classes: tokenising")
        return look_over(tokenise(card, folder, self.options, stop_words), folder)

    def _write_splits(self, root: Path, folder: Path, report: Report) -> Card:
        """Write the JSONL of each split; return the card with counts and notes."""
        options = self.options
        wanted = [name for name in (options.classes or "").split(",") if name]
        found = find_texts(root, options.suffix, wanted)
        files = [file for part in found.splits.values() for file in part]
        report(f"{root}: reading {len(files):,} files in {len({file.label for file in files})} classes")
        reader = TextFileReader(files, options.encoding, options.max_chars)
        cleaning = TextCleaning(options)
        pool, starts = self._collect(found, reader, self._collecting(root, cleaning), folder, report)
        kept = without_copies(pool)
        classes, labels = settle_classes(pool, kept, self._collecting(root, cleaning))
        parts = self._parts(labels, kept, starts) if found.has_splits else self._cut(labels)
        _require_training(classes, labels[parts["train"]], root)
        counts = write_splits(pool, kept, classes, labels, shuffled(parts, options.seed), folder)
        notes = [*found.notes, *_reading_notes(reader, root), *row_notes(pool, kept, noun="files")]
        notes += [*class_notes(classes, labels), *cleaning.notes()]
        pool.path.unlink()
        details: dict[str, Any] = {
            "encoding": reader.encoding.name,
            "reading": Reading(FILE, "", codec=reader.encoding.codec, max_chars=options.max_chars).to_json(),
            "rows": row_counts(pool, kept, 0),
            **({"cleaned": dict(cleaning.changed)} if options.clean else {}),
        }
        name = printable(root.resolve().name)
        return Card("text", name, classes, counts, details, warnings=tuple(map(printable, notes)))

    def _collecting(self, root: Path, cleaning: TextCleaning) -> Collecting:
        return Collecting(
            root,
            self.options.max_bad,
            strip=cleaning,
            noun="files",
            bad_hint="correct or remove them",
            label_hint="SOURCE holds one folder of text files per class",
        )

    def _collect(
        self, found: FoundTexts, reader: TextFileReader, collecting: Collecting, folder: Path, report: Report
    ) -> tuple[TextPool, dict[str, int]]:
        """Return the texts, and where in the pool each split begins, in the order in which they are in it."""
        pool, starts = TextPool(folder / "texts.partial"), {}
        with pool.path.open("wb") as stream:
            for split in (name for name in _MEASURED_FIRST if name in found.splits):
                starts[split] = len(pool.labels())
                rows = reader.rows(found.splits[split])
                collect(pool, rows, stream, collecting, lambda number: report(f"{number:,} files read"))
        return pool, starts

    def _cut(self, labels: np.ndarray) -> dict[str, np.ndarray]:
        options = self.options
        return cut_splits(labels, valid=options.valid_fraction, test=options.test_fraction, seed=options.seed)

    def _parts(self, labels: np.ndarray, kept: Kept, starts: dict[str, int]) -> dict[str, np.ndarray]:
        """Return the indices into `labels` of each split of the folder, with those that it lacks cut from train."""
        bounds = np.searchsorted(kept.rows, [*starts.values(), np.iinfo(np.int64).max])
        parts = {
            split: np.arange(first, end)
            for split, first, end in zip(starts, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        }
        train, none = parts["train"], np.empty(0, np.int64)
        valid, test = parts.get("valid", none), parts.get("test", none)
        cut = cut_splits(
            labels[train],
            valid=0.0 if len(valid) else self.options.valid_fraction,
            test=0.0 if len(test) else self.options.test_fraction,
            seed=self.options.seed,
        )
        return {
            "train": train[cut["train"]],
            "valid": valid if len(valid) else train[cut["valid"]],
            "test": test if len(test) else train[cut["test"]],
        }


def folder_importer(options: TextFolderOptions) -> TextFolderImporter:
    """Return the importer of `text-folder`."""
    return TextFolderImporter(options)


def _require_training(classes: tuple[str, ...], trained: np.ndarray, root: Path) -> None:
    """Check that every class has a text to train on.

    Raises:
        DataError: one has none.
    """
    missing = [name for number, name in enumerate(classes) if not (trained == number).any()]
    if missing:
        raise DataError(
            f"{root}: the class {missing[0][:100]!r} has no text to train on",
            hint="check the folder's name in both splits, or name the classes with --classes",
        )


def _reading_notes(reader: TextFileReader, root: Path) -> list[str]:
    notes = []
    if reader.num_others:
        count = "1 file is" if reader.num_others == 1 else f"{reader.num_others:,} files are"
        notes.append(
            f"{root}: {count} not UTF-8; read as {reader.encoding.name}: {reader.encoding.sample!r}; "
            "if that is wrong, set --encoding"
        )
    if reader.num_cut:
        count = "1 text was" if reader.num_cut == 1 else f"{reader.num_cut:,} texts were"
        notes.append(f"{count} cut off by --max-chars")
    return notes
