"""Bad command lines about a table's columns, rows, folds and numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from bad_inputs.arrange import DATA, USAGE, Row, prepare_csv, prepare_texts

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


def with_cells(value: Callable[[int], object], target: Callable[[int], object] = lambda row: 1.5 * row) -> Any:
    """Return an arrangement: a table of 60 rows with a column `x`, another one, and the target `y`."""

    def arrange(bench: Any) -> None:
        rows = [f'"{value(row)}",{row % 7},"{target(row)}"' for row in range(60)]
        bench.write("t.csv", "\n".join(["x,b,y", *rows]))

    return arrange


def with_one(bad: object, value: Callable[[int], object]) -> Any:
    """Return an arrangement with one other cell, on line 9."""
    return with_cells(lambda row: bad if row == 7 else value(row))


def percent(row: int) -> str:
    return f"{row % 40}%"


TABLE = "prepare table t.csv --target y --out data/u"

CELLS = {
    "a word among percentages": Row(TABLE, DATA, "'x' holds numbers and 'about 3%'", with_one("about 3%", percent)),
    "a number without its percent sign": Row(TABLE, DATA, "numbers and '12'", with_one("12", percent)),
    "a word among euros": Row(TABLE, DATA, "numbers and 'free'", with_one("free", lambda row: f"{row} €")),
    "dollars among euros": Row(TABLE, DATA, "numbers and '$5'", with_one("$5", lambda row: f"{row} €")),
    "another unit": Row(TABLE, DATA, "numbers and '500 g'", with_one("500 g", lambda row: f"{row} kg")),
    "two units": Row(
        TABLE, DATA, "different units: 'kg', 'g'", with_cells(lambda row: f"{row} {'kg' if row % 3 else 'g'}")
    ),
    "thousands of two kinds": Row(
        TABLE, DATA, "numbers and '1.234,5'", with_one("1.234,5", lambda row: f"{1 + row},234.5")
    ),
    "a date among numbers": Row(TABLE, DATA, "numbers and '5/13/2024'", with_one("5/13/2024", lambda row: row / 7)),
    "a long cell among numbers": Row(TABLE, DATA, "fix: correct the cells", with_one("x" * 6000, lambda row: row / 7)),
    "an infinite number": Row(TABLE, DATA, "numbers and '1e999'", with_one("1e999", lambda row: row / 7)),
    "a half open bracket": Row(TABLE, DATA, "numbers and '(5'", with_one("(5", lambda row: f"({row})")),
    "a few numbers with one word": Row(TABLE, DATA, "numbers and 'five'", with_one("five", lambda row: row % 5)),
    "dates with the month in front": Row(
        TABLE, DATA, "'x' holds dates", with_cells(lambda row: f"Jan {1 + row % 28:02d} 2024")
    ),
    "dates with dots": Row(TABLE, DATA, "'x' holds dates", with_cells(lambda row: f"{1 + row % 28:02d}.01.2024")),
    "dates of America": Row(TABLE, DATA, "'x' holds dates", with_cells(lambda row: f"1/{1 + row % 28}/2024")),
    "dates with a zone": Row(
        TABLE, DATA, "'x' holds dates", with_cells(lambda row: f"2024-01-{1 + row % 28:02d} 10:00:00 UTC")
    ),
    "weeks": Row(TABLE, DATA, "'x' holds dates", with_cells(lambda row: f"2024-W{1 + row % 50:02d}")),
    "times of day": Row(TABLE, DATA, "'x' holds dates", with_cells(lambda row: f"{row % 24}:30")),
    "dates with one gap and one word": Row(
        TABLE, DATA, "'x' holds dates", with_one("soon", lambda row: f"Jan {1 + row % 28:02d} 2024" if row else "")
    ),
    "a number too large for a network": Row(
        TABLE, DATA, "too large for a network", with_cells(lambda row: 10.0**300 * (row % 9))
    ),
    "numbers too close for a network": Row(
        TABLE, DATA, "multiply the column", with_cells(lambda row: 1e-40 * (row % 9))
    ),
    "a target of dates": Row(
        TABLE, DATA, "the target 'y' holds dates", with_cells(float, lambda row: f"Jan {1 + row % 28:02d} 2024")
    ),
    "a target with one word": Row(
        TABLE, DATA, "line 9: the target 'y' is 'x'", with_cells(float, lambda row: "x" if row == 7 else row * 1.5)
    ),
    "a target of percentages with one word": Row(
        TABLE, DATA, "line 9: the target 'y' is 'x'", with_cells(float, lambda row: "x" if row == 7 else percent(row))
    ),
    "a target with one word, as a regression": Row(
        f"{TABLE} --task regression",
        DATA,
        "line 2: the target 'y' is 'a'",
        with_cells(float, lambda row: "ab"[row % 2]),
    ),
    "a target without a value": Row(TABLE, DATA, "0 rows with a 'y'", with_cells(float, lambda row: "")),
    "a target of one number in two notations": Row(
        f"{TABLE} --task classification",
        DATA,
        "is '1' in every row",
        with_cells(float, lambda row: ("1", "1.0")[row % 2]),
    ),
    "nothing left but names": Row(f"{TABLE} --drop b", DATA, "no column is left", with_cells(lambda row: "same")),
}

OPTIONS = {
    "target dropped": Row(f"{TABLE} --drop y", USAGE, "--drop 'y' contradicts --target 'y'", with_cells(float)),
    "column kept and dropped": Row(
        f"{TABLE} --drop x --keep x", USAGE, "--drop 'x' contradicts --keep 'x'", with_cells(float)
    ),
    "column categorical and dropped": Row(
        f"{TABLE} --drop x --categorical x", USAGE, "contradicts --categorical", with_cells(float)
    ),
    "ordered target": Row(f"{TABLE} --ordered y=a,b", USAGE, "--ordered 'y': this is", with_cells(float)),
    "order of one": Row(f"{TABLE} --ordered x=a", USAGE, "--ordered 'x=a' states no order", with_cells(float)),
    "ordered and dropped": Row(f"{TABLE} --drop x --ordered x=a,b", USAGE, "contradicts --ordered", with_cells(float)),
    "order that lacks a value": Row(f"{TABLE} --ordered x=a,b", DATA, "not one of a, b", with_cells(float)),
    "target kept": Row(f"{TABLE} --keep y", USAGE, "this is the column to predict", with_cells(float)),
    "kept column misspelt": Row(f"{TABLE} --keep xx", DATA, "no column 'xx'", with_cells(float)),
    "grouped by the target": Row(
        f"{FOLDS} --folds 3 --group price", USAGE, "this is the column to predict", lambda b: prepare_csv(b)
    ),
    "grouped by no column": Row(f"{FOLDS} --folds 3 --group town", DATA, "no column 'town'", lambda b: prepare_csv(b)),
    "grouped by the only feature": Row(
        f"{FOLDS} --folds 3 --group size", DATA, "no column is left", lambda b: prepare_csv(b)
    ),
    "folds in the time of the target": Row(
        f"{FOLDS} --folds time:3,price", USAGE, "is the column to predict", lambda b: prepare_csv(b)
    ),
    "folds in the time of no column": Row(
        f"{FOLDS} --folds time:3,day", DATA, "no column of numbers or dates 'day'", lambda b: prepare_csv(b)
    ),
    "more folds in time than rows": Row(f"{FOLDS} --folds time:90", DATA, "too many folds", lambda b: prepare_csv(b)),
    "rows of source.csv lost": Row(
        f"{FOLDS} --splits s.json",
        DATA,
        "does not match table.csv row by row",
        lambda b: (with_splits('[{"test": [3]}]')(b), b.write("data/t/source.csv", "row\n0\n")),
    ),
}


def without(prepare: Callable[[Any], object], *names: str) -> Any:
    """Return an arrangement: data/t prepared, then files removed from it."""

    def arrange(bench: Any) -> None:
        prepare(bench)
        for name in names:
            bench.home.joinpath("data/t", name).unlink()

    return arrange


def with_change(prepare: Callable[[Any], object], name: str, change: Callable[[str], str]) -> Any:
    """Return an arrangement: data/t prepared, then the text of one file changed."""

    def arrange(bench: Any) -> None:
        prepare(bench)
        path = bench.home / "data/t" / name
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    return arrange


def rename(text: str) -> str:
    return text.replace("size", "sise")


def relabel(text: str) -> str:
    return re.sub(r'"label": "[01]"', '"label": "7"', text, count=1)


DOCTOR = {
    "doctor: table.csv gone": Row("doctor data/t", DATA, "fix: prepare the data", without(prepare_csv, "table.csv")),
    "doctor: table.csv cut off": Row(
        "doctor data/t", DATA, "fix: prepare the data", with_change(prepare_csv, "table.csv", lambda text: text[:-9])
    ),
    "doctor: a column renamed": Row(
        "doctor data/t",
        DATA,
        "'sise'",
        with_change(prepare_csv, "table.csv", rename),
    ),
    "doctor: a cell that is no number": Row(
        "doctor data/t", DATA, "fix:", with_change(prepare_csv, "table.csv", lambda text: text.replace("\n0,", "\nx,"))
    ),
    "doctor: card and table differ": Row(
        "doctor data/t",
        DATA,
        "fix:",
        with_change(prepare_csv, "dataset.json", rename),
    ),
    "doctor: texts gone": Row("doctor data/t", DATA, "fix: prepare the data", without(prepare_texts, "train.jsonl")),
    "doctor: texts cut off": Row(
        "doctor data/t", DATA, "fix:", with_change(prepare_texts, "train.jsonl", lambda text: text[:-9])
    ),
    "doctor: vocabulary gone": Row(
        "doctor data/t", DATA, "fix: prepare the data", without(prepare_texts, "vocab.json")
    ),
    "doctor: vocabulary of nothing": Row(
        "doctor data/t", DATA, "fix:", with_change(prepare_texts, "vocab.json", lambda text: "[]")
    ),
    "doctor: a class unknown to the card": Row(
        "doctor data/t",
        DATA,
        "fix:",
        with_change(
            prepare_texts, "train.jsonl", lambda text: re.sub(r'"label": "[01]"', '"label": "7"', text, count=1)
        ),
    ),
}

COLUMNS = {**SPLITS, **CELLS, **OPTIONS, **DOCTOR}
