"""Texts without labels: one a line, plain or gzipped, or in a column of tab-separated lines.

A text's split is a function of the text and the seed, so equal texts are never parted and a file that grows keeps its
parts; of equal texts one remains. Texts are cleaned, tokenised and packed as labelled ones are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError, UsageError
from dlcli.core.wording import printable
from dlcli.data.card import Card
from dlcli.data.importing.preparing import Report
from dlcli.data.reading.encodings import Encoding, open_text, require_encoding
from dlcli.data.reading.lines import Lines
from dlcli.data.text import writer as text_writer
from dlcli.data.text.cleaning import clean_text
from dlcli.data.text.lines import SPLITS, jsonl_file
from dlcli.data.text.rows import BrokenRow, TextRow
from dlcli.data.text.stop_words import read_stop_words
from dlcli.datasets.text.coding import TextCleaning, look_over, tokenise
from dlcli.datasets.text.options import TextLinesOptions
from dlcli.datasets.text.pool import Collecting, TextPool, collect, without_copies
from dlcli.datasets.text.splits import row_notes, shuffled

TASK = "language-model"
"""What texts without labels are prepared for."""

_LABEL = "-"
"""The pool wants one of each text; it is written nowhere."""
_SUFFIXES = (".txt", ".tsv", ".txt.gz", ".tsv.gz")
_LEAST_TEXTS = 2


class TextLinesImporter:
    """Importer of texts without labels; see `dlcli.data.importing.preparing.Importer`."""

    def __init__(self, options: TextLinesOptions) -> None:
        self.options = options
        if options.valid_fraction + options.test_fraction > 0.95:
            raise UsageError("--valid-fraction and --test-fraction leave less than 5 % of the texts to train on")

    def locate(self, source: Path | None) -> list[Path]:
        """Return the files of texts, and the stop word file.

        Raises:
            DataError: one is missing, or a folder holds no such file.
        """
        if source is None:
            raise DataError("name the SOURCE: a file with a text on each line, or a folder of such files")
        files = [source]
        if source.is_dir():
            files = sorted(path for path in source.iterdir() if path.name.endswith(_SUFFIXES) and path.is_file())
        if not files or not files[0].is_file():
            what = "no such file" if not source.is_dir() else f"holds no {' or '.join(_SUFFIXES[:2])} file"
            raise DataError(f"{source}: {what}", hint="SOURCE has a text on each line")
        stop_words = [Path(self.options.stopwords)] if self.options.stopwords else []
        if stop_words and not stop_words[0].is_file():
            raise DataError(f"{stop_words[0]}: no such file", hint="--stopwords takes a file with one word per line")
        return [*files, *stop_words]

    def space_needed(self, files: list[Path]) -> int:
        """Return roughly how many bytes the form takes at its peak: the texts twice, their ids, the sorting."""
        return 4 * sum(path.stat().st_size for path in files)

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Write the JSONL splits, the vocabulary and the packed copies, and return the card.

        Raises:
            DataError: there are fewer than two different texts, or more than `max_bad` broken lines.
        """
        stop_words = read_stop_words(files.pop()) if self.options.stopwords else ()
        card = self._write_splits(files, folder, report)
        report(f"{sum(card.items.values()):,} texts: tokenising")
        return look_over(tokenise(card, folder, self.options, stop_words), folder)

    def _write_splits(self, files: list[Path], folder: Path, report: Report) -> Card:
        options = self.options
        encodings = [require_encoding(path, options.encoding) for path in files]
        pool = TextPool(folder / "texts.partial")
        cleaning = TextCleaning(options)
        hint = "set another --column, or --encoding"
        with pool.path.open("wb") as stream:
            for path, encoding in zip(files, encodings, strict=True):
                report(f"{path}: {encoding.name}")
                collecting = Collecting(path, options.max_bad, strip=cleaning, noun="lines", bad_hint=hint)
                rows = read_rows(path, encoding, options.column)
                collect(pool, rows, stream, collecting, lambda number: report(f"{number:,} lines read"))
        if not len(pool.labels()):
            raise DataError(f"{files[0]}: no usable line among {pool.num_rows:,}", hint="a text on each line")
        kept = without_copies(pool)
        if len(kept.rows) < _LEAST_TEXTS:
            raise DataError(f"{files[0]}: one text is left, too few to learn from and to measure by")
        parts = self._parts(pool, kept.rows)
        for split, part in parts.items():
            text_writer.write_texts(jsonl_file(folder, split), pool.texts(kept.rows[part]))
        doubts = (encoding.warning(path) for path, encoding in zip(files, encodings, strict=True))
        notes = [*filter(None, doubts), *row_notes(pool, kept, noun="lines"), *cleaning.notes()]
        pool.path.unlink()
        details: dict[str, Any] = {
            "task": TASK,
            "encoding": encodings[0].name,
            "rows": {"read": pool.num_rows, "broken": pool.num_bad, "duplicates": kept.num_duplicates},
            **({"cleaned": dict(cleaning.changed)} if options.clean else {}),
        }
        items = {split: len(part) for split, part in parts.items()}
        name = printable(files[0].name.split(".")[0])
        return Card("text", name, (), {}, details, warnings=tuple(map(printable, notes)), items=items)

    def _parts(self, pool: TextPool, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return the places in `rows` of each split that has texts, in a seeded order; `train` always has some."""
        options = self.options
        draws = np.array([draw_of(text, options.seed) for text in pool.texts(rows)])
        is_test = draws < options.test_fraction
        is_valid = ~is_test & (draws < options.test_fraction + options.valid_fraction)
        is_train = ~is_test & ~is_valid
        if not is_train.any():
            is_train[draws.argmax()], is_valid[draws.argmax()], is_test[draws.argmax()] = True, False, False
        masks = dict(zip(SPLITS, (is_train, is_valid, is_test), strict=True))
        return shuffled({split: np.flatnonzero(mask) for split, mask in masks.items()}, options.seed)


def draw_of(text: str, seed: int) -> float:
    """Return the number in [0, 1) that decides a text's split, from its characters and the seed."""
    digest = hashlib.blake2b(text.encode(), digest_size=8, key=str(seed).encode()).digest()
    return int.from_bytes(digest, "big") / 2**64


def read_rows(path: Path, encoding: Encoding, column: int | None) -> Iterator[TextRow | BrokenRow]:
    """Yield the text of each line that is not blank.

    Args:
        path: the file, possibly compressed.
        encoding: its encoding.
        column: the number of the column of tab-separated lines, from 1; None for whole lines.

    Raises:
        DataError: the file cannot be read, or a line has no end.
    """
    with open_text(path, encoding=encoding) as stream:
        for number, line in enumerate(Lines(stream, str(path)), 1):
            if not clean_text(line):
                continue
            if column is None:
                yield TextRow(number, line, _LABEL)
                continue
            cells = line.split("\t")
            if len(cells) < column:
                yield BrokenRow(number, f"{len(cells)} columns, none with the number {column}")
            else:
                yield TextRow(number, cells[column - 1], _LABEL)


def lines_importer(options: TextLinesOptions) -> TextLinesImporter:
    """Return the importer of `text-lines`."""
    return TextLinesImporter(options)
