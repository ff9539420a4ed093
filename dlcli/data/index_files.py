"""Folds that a user gives: files of row numbers, and which items those are."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError

MAX_INDEX_BYTES = 1 << 28


@dataclass(frozen=True)
class Numbers:
    """The numbers by which index files name items.

    Attributes:
        rows: (N,) int64, the number of each item, from 0, each at most once.
        total: how many numbers there are; those of no item were left out when the data was prepared.
    """

    rows: np.ndarray
    total: int


def read_splits(path: Path, num_items: int, numbers: Numbers | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the (training, test) items of the splits in a file or folder, each (K,) int64 from 0.

    Accepts a folder with `index_train_<n>.txt` and `index_test_<n>.txt` (the UCI splits of Hernandez-Lobato and Adams
    2015, arXiv:1502.05336: one number per line, possibly written as 1.0e+00), one such test file (all other rows are
    for training), or a JSON file: a list of {"train": [...], "test": [...]} with optional `train`.

    Args:
        path: the file or folder.
        num_items: N.
        numbers: the items' numbers in the files; None for 0 to N - 1. Rows that are not among the items are skipped.

    Raises:
        DataError: a file is missing or damaged, a row does not exist or is in both parts, or there is no split.
    """
    numbers = numbers or Numbers(np.arange(num_items), num_items)
    return [_checked(train, test, numbers, where) for train, test, where in _read_all(path)]


def count_splits(path: Path) -> int:
    """Return the number of splits in a file or folder.

    Raises:
        DataError: a file is missing or damaged, or there is no split.
    """
    return len(_read_all(path))


def count_left_out(path: Path, numbers: Numbers) -> int:
    """Return how many rows that the splits name are not among the items.

    Raises:
        DataError: as in `read_splits`, except for rows that do not exist.
    """
    named = [rows for train, test, _ in _read_all(path) for rows in (train, test) if rows is not None]
    missing = np.setdiff1d(np.concatenate(named), numbers.rows)
    return int(((missing >= 0) & (missing < numbers.total)).sum())


def _read_all(path: Path) -> list[tuple[np.ndarray | None, np.ndarray, str]]:
    """Return the training rows (None for all others), the test rows and the place of each split, unchecked."""
    if path.is_dir():
        tests = sorted(
            (int(match[1]), file)
            for file in path.iterdir()
            if (match := re.fullmatch(r"index_test_(\d+)\.txt", file.name))
        )
        if not tests:
            raise DataError(
                f"--splits {path}: no index_test_<n>.txt in it", hint="pass a folder of index files, or a JSON file"
            )
        pairs = [(path / f"index_train_{number}.txt", file) for number, file in tests]
        found = [
            (_read_index(train) if train.exists() else None, _read_index(test), str(test)) for train, test in pairs
        ]
    elif path.suffix.lower() == ".json":
        found = _read_json(path)
    else:
        found = [(None, _read_index(path), str(path))]
    if not found:
        raise DataError(f"--splits {path}: there is no split in it", hint='for example [{"test": [0, 1, 2]}]')
    return found


def _read_bytes(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_INDEX_BYTES:
            raise DataError(f"--splits {path}: too large for a file of row numbers")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"--splits {path}: cannot be read: {error}") from None


def _read_index(path: Path) -> np.ndarray:
    try:
        return _whole_numbers([float(word) for word in _read_bytes(path).split()])
    except ValueError as error:
        raise DataError(f"--splits {path}: not a list of row numbers: {error}") from None


def _read_json(path: Path) -> list[tuple[np.ndarray | None, np.ndarray, str]]:
    try:
        entries = json.loads(_read_bytes(path))
        return [
            (
                _whole_numbers(entry["train"]) if "train" in entry else None,
                _whole_numbers(entry["test"]),
                f"{path}, split {number}",
            )
            for number, entry in enumerate(entries, 1)
        ]
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise DataError(
            f'--splits {path}: not a list of {{"train": [...], "test": [...]}}: {type(error).__name__}: {error}'
        ) from None


def _whole_numbers(values: Sequence[float]) -> np.ndarray:
    numbers = np.asarray(values, dtype=np.float64).reshape(-1)
    if not np.all(np.isfinite(numbers)) or np.any(numbers != np.round(numbers)):
        raise ValueError("a row number is not an integer")
    return numbers.astype(np.int64)


def _checked(train: np.ndarray | None, test: np.ndarray, numbers: Numbers, where: str) -> tuple[np.ndarray, np.ndarray]:
    item_of = np.full(numbers.total, -1)
    item_of[numbers.rows] = np.arange(len(numbers.rows))
    for rows in (train, test):
        if rows is None:
            continue
        if not len(rows):
            raise DataError(f"--splits {where}: a part is empty")
        wrong = rows[(rows < 0) | (rows >= numbers.total)]
        if len(wrong):
            raise DataError(
                f"--splits {where}: there is no row {wrong[0]}",
                hint=f"rows are numbered from 0 to {numbers.total - 1}",
            )
        if len(np.unique(rows)) < len(rows):
            raise DataError(f"--splits {where}: a row is duplicated")
    if train is not None and len(np.intersect1d(train, test)):
        raise DataError(f"--splits {where}: row {np.intersect1d(train, test)[0]} is in both parts")
    tested = item_of[test][item_of[test] >= 0]
    rest = np.setdiff1d(np.arange(len(numbers.rows)), tested) if train is None else item_of[train][item_of[train] >= 0]
    for items in (rest, tested):
        if not len(items):
            raise DataError(f"--splits {where}: a part is empty, apart from rows that `dl prepare` left out")
    return np.sort(rest), np.sort(tested)
