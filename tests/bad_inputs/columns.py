"""Bad command lines about a table's columns, rows, folds and numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bad_inputs.arrange import DATA, USAGE, Row, prepare_csv

FOLDS = "train regression --data data/t --epochs 1 --threads 1"


def with_splits(text: str) -> Callable[[Any], object]:
    """Return an arrangement: the prepared table of 40 rows, and index files."""
    return lambda bench: (prepare_csv(bench), bench.write("s.json", text))


SPLITS = {
    "splits without a split": Row(f"{FOLDS} --splits s.json", DATA, "there is no split in it", with_splits("[]")),
    "splits with a negative row": Row(
        f"{FOLDS} --splits s.json", DATA, "there is no row -1", with_splits('[{"test": [-1, 5]}]')
    ),
    "splits with a row behind the last": Row(
        f"{FOLDS} --splits s.json", DATA, "there is no row 40", with_splits('[{"test": [3, 40]}]')
    ),
    "splits with an empty part": Row(
        f"{FOLDS} --splits s.json", DATA, "a part is empty", with_splits('[{"test": []}]')
    ),
    "splits with a row in both parts": Row(
        f"{FOLDS} --splits s.json", DATA, "row 3 is in both", with_splits('[{"train": [2, 3], "test": [3]}]')
    ),
    "splits that name the last split but one": Row(
        f"{FOLDS} --splits s.json --fold 2", USAGE, "--fold 2: there are 1", with_splits('[{"test": [3]}]')
    ),
}

COLUMNS = {**SPLITS}
