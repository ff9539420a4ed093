"""Answer the rows of CSV files with the exported network beside this script: `python SCRIPT FILE.csv...`.

A file is UTF-8, and its first line names the columns.
"""

import csv
import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from dlcli.export.scripts.model import open_model

MISSING = ("", "?", "-", "na", "n/a", "#n/a", "<na>", "nan", "null", "none")
NOTATION = {"thousands": "", "prefix": "", "suffix": "", "words": []}
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


def encode(row: dict[str, str], columns: dict[str, Any]) -> dict[str, Any]:
    """Return the cells of a row as the network's inputs: numbers, and the places of categories (0 for an unknown)."""
    numbers: list[float] = []
    places: list[int] = []
    for column in columns["numeric"]:
        cell = row[column["name"]].strip()
        decimal = (column.get("notation") or {}).get("decimal", ".")
        number = column["median"] if cell.casefold() in MISSING else float(cell.replace(decimal, "."))
        numbers.append(number - column.get("offset", 0.0))
        if "_" in cell or not abs(numbers[-1]) <= float(np.finfo(np.float32).max):
            raise ValueError(f"{column['name']} is {cell!r}, not a number")
    for column in columns["categorical"]:
        known, cell = column["categories"], row[column["name"]].strip()
        missing = len(known) + 1 if column["has_missing"] else 0
        place = known.index(cell) + 1 if cell in known else 0
        places.append(missing if cell.casefold() in MISSING else place)
    arrays: dict[str, Any] = {"numeric": np.array([numbers], np.float32), "categories": np.array([places], np.int64)}
    return {name: array for name, array in arrays.items() if array.size}


def require_plain(columns: dict[str, Any]) -> None:
    """Stop where a table is read as only dlcli reads it: by blanks, without a header, numbers as 1.234,5 or 12 %."""
    source = "Install dl from its own source; the package called dlcli on PyPI is another program."
    instead = f"read by `dl predict` alone. {source}"
    reading = columns.get("reading") or {}
    if reading.get("delimiter") == "spaces" or not reading.get("has_header", True):
        sys.exit(f"a table without a header, or parted by blanks, is {instead}")
    for column in columns["numeric"]:
        notation = column.get("notation") or {}
        if [notation.get(key, plain) for key, plain in NOTATION.items()] != list(NOTATION.values()):
            sys.exit(f"the numbers of {column['name']} are {instead}")


def predict(path: str, session: Any, assets: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the answer to each row of a file."""
    columns, names = assets["columns"], [output.name for output in session.get_outputs()]
    require_plain(columns)
    delimiter = DELIMITERS.get(str((columns.get("reading") or {}).get("delimiter")), ",")
    with open(path, encoding="utf-8-sig", newline="") as stream:  # noqa: PTH123
        reader = csv.DictReader(stream, delimiter=delimiter)
        wanted = [column["name"] for column in (*columns["numeric"], *columns["categorical"])]
        lacking = [name for name in wanted if name not in (reader.fieldnames or ())]
        if lacking:
            sys.exit(f"{path}: lacks the column {lacking[0]}")
        for row in reader:
            answer: dict[str, Any] = {"input": f"{path}:{reader.line_num}"}
            try:
                if None in row or None in row.values():
                    raise ValueError(f"not {len(reader.fieldnames or ())} cells")
                inputs = encode(row, columns)
            except ValueError as error:
                yield answer | {"error": str(error)}
                continue
            found = dict(zip(names, session.run(names, inputs), strict=True))
            if "logits" in found:
                shares = np.exp(found["logits"][0].astype(np.float64) - found["logits"].max())
                best = int(shares.argmax())
                probability = round(float(shares[best] / shares.sum()), 6)
                answer |= {"label": assets["labels"][best], "probability": probability}
            else:
                prediction = float(f"{float(found['prediction'][0]):.7g}")
                answer["prediction"] = columns["target"].get("offset", 0.0) + prediction
            yield answer


if __name__ == "__main__":
    session, assets = open_model()
    for path in sys.argv[1:]:
        for answer in predict(path, session, assets):
            print(json.dumps(answer, ensure_ascii=False))  # noqa: T201
