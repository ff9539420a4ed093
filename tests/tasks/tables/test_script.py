"""The script beside a table's export: it reads what `dl predict` reads, or says that dlcli reads it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from dlcli.data.tables.numbers import PLAIN, Notation
from dlcli.data.tables.rows import Reading
from dlcli.tasks.tables.codec import RegressionCodec
from dlcli.tasks.tables.columns import CategoricalColumn, NumericColumn, TableColumns
from dlcli.tasks.tables.script import predict


class Sum:
    """Stands for the session of a network: it answers with the sum of its numbers and places."""

    class _Output:
        name = "prediction"

    def get_outputs(self) -> list[Any]:
        return [self._Output]

    def run(self, names: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert names == ["prediction"]
        return [sum(array.sum(1, dtype=np.float32) for array in inputs.values())]


def columns_of(notation: Notation = PLAIN, delimiter: str = "comma", *, has_header: bool = True) -> TableColumns:
    numeric = (NumericColumn("size", 7.0, 7.0, 1.0, (), notation=notation),)
    city = (CategoricalColumn("city", ("Lyon", "Nice"), True),)
    return TableColumns(numeric, city, "y", reading=Reading(delimiter, has_header))


def answers(path: Any, columns: TableColumns) -> list[dict[str, Any]]:
    assets = {"columns": json.loads(json.dumps(columns.to_json())), "ensemble": 1}
    return list(predict(str(path), Sum(), assets))


@pytest.mark.parametrize(
    ("delimiter", "mark", "notation", "number"),
    [
        ("comma", ",", PLAIN, "50.5"),
        ("tab", "\t", PLAIN, "50.5"),
        ("pipe", "|", PLAIN, "50.5"),
        ("semicolon", ";", Notation(","), "50,5"),
        ("semicolon", ";", PLAIN, "50.5"),
    ],
)
def test_a_file_is_read_as_dl_predict_reads_it(tmp_path, delimiter, mark, notation, number):
    columns = columns_of(notation, delimiter)
    path = tmp_path / "q.csv"
    rows = [("size", "city"), (number, "Nice"), ("", "Lyon"), ("3", "Rome"), ("4", "?")]
    path.write_text("\n".join(mark.join(row) for row in rows) + "\n", encoding="utf-8")
    codec = RegressionCodec({"columns": columns.to_json(), "ensemble": 1})
    encoded = [codec.encode(source) for source in codec.expand([str(path)])]
    expected = [float(sum(array.sum(dtype=np.float32) for array in item.arrays.values())) for item in encoded]
    found = answers(path, columns)
    assert [answer["input"] for answer in found] == [f"{path}:{line}" for line in (2, 3, 4, 5)]
    assert [answer["prediction"] for answer in found] == [52.5, 8.0, 3.0, 7.0]
    assert np.isnan(expected.pop(1))  # the network replaces a gap by the median, as the script does
    assert expected == [52.5, 3.0, 7.0]


def test_a_row_that_cannot_be_read_costs_only_itself(tmp_path):
    path = tmp_path / "q.csv"
    bad = ("tall,Nice", "5", "5,Nice,x", "inf,Nice", "nan(2),Nice", "1e39,Nice", "-1e39,Nice", "1_000,Nice")
    path.write_text("\n".join(("size,city", *bad, "1,Nice")) + "\n", encoding="utf-8")
    *failed, answered = answers(path, columns_of())
    codec = RegressionCodec({"columns": columns_of().to_json(), "ensemble": 1})
    assert [codec.encode(source).error is None for source in codec.expand([str(path)])] == [False] * len(bad) + [True]
    assert ["error" in answer for answer in failed] == [True] * len(bad)
    assert answered["prediction"] == 3.0


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (columns_of(Notation(",", ".")), "the numbers of size are read by `dl predict` alone"),
        (columns_of(Notation(suffix="%")), "the numbers of size are read by `dl predict` alone"),
        (
            columns_of(delimiter="spaces"),
            "a table without a header, or parted by blanks, is read by `dl predict` alone",
        ),
        (columns_of(has_header=False), "a table without a header, or parted by blanks, is read by `dl predict` alone"),
    ],
)
def test_what_only_dlcli_reads_is_refused(tmp_path, columns, said):
    (tmp_path / "q.csv").write_text("size,city\n1,Nice\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=said):
        answers(tmp_path / "q.csv", columns)


def test_a_file_without_a_column_is_refused(tmp_path):
    (tmp_path / "q.csv").write_text("size\n1\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="lacks the column city"):
        answers(tmp_path / "q.csv", columns_of())
