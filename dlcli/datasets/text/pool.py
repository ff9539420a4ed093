"""The cleaned texts of a source file, spooled to a temporary file and compared by digest.

Memory holds 28 bytes per text: a digest, a label, and the text's offset in the file.
"""

from __future__ import annotations

import functools
import hashlib
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.labels import label_text
from dlcli.data.text.cleaning import clean_text
from dlcli.data.text.rows import BrokenRow, TextRow

MAX_CLASSES = 10_000
MAX_LABEL = 200
"""Characters of a label, at most."""
MAX_NAMED = 20
"""Broken rows that the card lists."""
_DIGEST_BYTES = 16  # the chance that two of 10^9 texts share one is 1e-21


@dataclass
class TextPool:
    """Texts with labels.

    Attributes:
        path: the temporary file of concatenated texts, UTF-8.
        names: label -> index, in order of appearance.
        num_rows: rows read, including broken ones.
        num_bad: broken rows; `bad` holds the first of them.
        num_stripped: texts that were empty once they were cleaned and without emoticons.
    """

    path: Path
    names: dict[str, int] = field(default_factory=dict)
    num_rows: int = 0
    num_bad: int = 0
    bad: list[BrokenRow] = field(default_factory=list)
    num_stripped: int = 0
    _starts: array[int] = field(default_factory=lambda: array("q", [0]))
    _labels: array[int] = field(default_factory=lambda: array("i"))
    _digests: bytearray = field(default_factory=bytearray)

    def labels(self) -> np.ndarray:
        """Return the label of each text as an index into `names`, (N,) int32, in file order."""
        return np.frombuffer(self._labels, dtype=np.int32)

    def groups(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the texts grouped by equality.

        Returns:
            order: (N,) int64 indices that place equal texts next to each other, in file order within a group.
            is_first: (N,) bool, whether the text at that position of `order` begins a group.
        """
        digests = np.frombuffer(self._digests, dtype=np.uint64).reshape(-1, 2)
        order = np.lexsort((digests[:, 1], digests[:, 0]))
        is_first = np.ones(len(order), dtype=bool)
        for column in (0, 1):
            values = digests[order, column]
            is_first[1:] &= values[1:] == values[:-1]
        is_first[1:] = ~is_first[1:]
        return order, is_first

    def texts(self, rows: np.ndarray) -> Iterator[str]:
        """Yield the texts at these indices, (K,) int64."""
        starts = np.frombuffer(self._starts, dtype=np.int64)
        with self.path.open("rb", buffering=0) as stream:
            for first in range(0, len(rows), 2**16):
                block = rows[first : first + 2**16]
                for start, end in zip(starts[block].tolist(), starts[block + 1].tolist(), strict=True):
                    stream.seek(start)
                    yield stream.read(end - start).decode()

    def add(self, text: str, label: str) -> bytes:
        """Record a cleaned text; return its bytes, which the caller appends to the file."""
        data = text.encode()
        self._digests += hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()
        self._labels.append(self.names.setdefault(label, len(self.names)))
        self._starts.append(self._starts[-1] + len(data))
        return data


@dataclass(frozen=True)
class Kept:
    """What deduplication leaves of a pool.

    Attributes:
        rows: (K,) int64 indices of the remaining texts, in file order.
        num_duplicates: rows dropped because the same text with the same label came earlier.
        num_two_labels: texts dropped because they have several labels.
        num_two_label_rows: the rows of those texts.
        two_labels: indices of up to three of them, as examples.
    """

    rows: np.ndarray
    num_duplicates: int
    num_two_labels: int
    num_two_label_rows: int
    two_labels: np.ndarray


@dataclass(frozen=True)
class Collecting:
    """Which rows become texts of a pool.

    Attributes:
        where: the file or folder, for messages.
        label_names: valid label -> class name; None accepts any label.
        strip: cleans a text, or removes unwanted parts such as emoticons.
        max_bad: skip at most this many broken rows.
        noun: plural noun for rows, for messages.
        bad_hint, label_hint: how to mend too many broken rows, and too many labels.
    """

    where: Path
    max_bad: int
    label_names: Mapping[str, str] | None = None
    strip: Callable[[str], str] | None = None
    noun: str = "rows"
    bad_hint: str = "correct them, set other columns with --text-column and --label-column"
    label_hint: str = "is this the column of labels? set it with --label-column"


def collect(
    pool: TextPool,
    rows: Iterable[TextRow | BrokenRow],
    stream: BinaryIO,
    collecting: Collecting,
    say_every: Callable[[int], None],
) -> None:
    """Add the texts of some rows to a pool, cleaned (see `clean_text`).

    Args:
        pool: the pool.
        rows: the rows.
        stream: the pool's file, open for writing.
        collecting: which of them become texts.
        say_every: called with the number of rows read, every million rows.

    Raises:
        DataError: there are more broken rows than `max_bad`, or more than 10,000 labels.
    """
    for row in rows:
        pool.num_rows += 1
        if pool.num_rows % 1_000_000 == 0:
            say_every(pool.num_rows)
        found = _clean(row, collecting.label_names)
        if isinstance(found, BrokenRow):
            _note_broken(pool, found, collecting)
            continue
        text = clean_text(collecting.strip(found.text)) if collecting.strip else found.text
        if not text:
            pool.num_stripped += 1
            continue
        stream.write(pool.add(text, found.label))
        if len(pool.names) > MAX_CLASSES:
            raise DataError(
                f"{collecting.where}: more than {MAX_CLASSES:,} different labels, the last one {found.label[:40]!r}",
                hint=collecting.label_hint,
            )


def _clean(row: TextRow | BrokenRow, label_names: Mapping[str, str] | None) -> TextRow | BrokenRow:
    if isinstance(row, BrokenRow):
        return row
    broken = functools.partial(BrokenRow, row.line, name=row.name)
    text, label = clean_text(row.text), label_text(clean_text(row.label))
    if not label or label.casefold() == "nan":
        return broken("no label")
    if len(label) > MAX_LABEL or not label.isprintable():
        return broken(f"an invalid label, {label[:40]!r}")
    if not text:
        return broken("no text")
    if label_names is None:
        return replace(row, text=text, label=label)
    if label not in label_names:
        return broken(f"the label {label[:40]!r} is not one of {', '.join(label_names)}")
    return replace(row, text=text, label=label_names[label])


def _note_broken(pool: TextPool, row: BrokenRow, collecting: Collecting) -> None:
    pool.num_bad += 1
    if len(pool.bad) < MAX_NAMED:
        pool.bad.append(row)
    if pool.num_bad > collecting.max_bad:
        raise DataError(
            f"{collecting.where}: more than {collecting.max_bad:,} broken {collecting.noun}",
            details=[str(entry)[:300] for entry in pool.bad[:2]],
            hint=f"{collecting.bad_hint}, or allow more with --max-bad",
        )


def without_copies(pool: TextPool) -> Kept:
    """Return the first row of each text, and none of texts that have several labels."""
    order, is_first = pool.groups()
    starts = np.flatnonzero(is_first)
    labels = pool.labels()[order]
    has_one_label = np.minimum.reduceat(labels, starts) == np.maximum.reduceat(labels, starts)
    sizes = np.diff(starts, append=len(order))
    firsts = order[starts]  # lexsort is stable: the first of a group comes first in the file
    num_two_label_rows = int(sizes[~has_one_label].sum())
    rows = np.sort(firsts[has_one_label])
    return Kept(
        rows,
        num_duplicates=len(order) - len(rows) - num_two_label_rows,
        num_two_labels=int((~has_one_label).sum()),
        num_two_label_rows=num_two_label_rows,
        two_labels=np.sort(firsts[~has_one_label])[:3],
    )


def is_sorted_by_label(labels: np.ndarray) -> bool:
    """Return whether there are at least 20 rows of two or more classes and each class is one contiguous block.

    Args:
        labels: (N,) integer label of each row, in file order.
    """
    num_runs = int(np.count_nonzero(labels[1:] != labels[:-1])) + 1
    return len(labels) >= 20 and 1 < num_runs == len(np.unique(labels))


def class_order(names: Sequence[str]) -> list[str]:
    """Return the labels sorted, by value if all are integers."""
    if all(re.fullmatch("-?[0-9]{1,18}", name) for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)
