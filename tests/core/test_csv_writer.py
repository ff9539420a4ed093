"""What is written as CSV is read back cell by cell, whichever line breaks are in the cells."""

from __future__ import annotations

import csv
import io

import pytest

from dlcli.core.csv_writer import csv_writer

ROWS = [
    ["a", "b"],
    ["1\r2", "3\n4"],
    ["5\r\n6", "7\r\n"],
    ["\r", ""],
    ["plain", 'quoted "q", here'],
]


def test_every_cell_is_read_back_as_it_was() -> None:
    stream = io.StringIO(newline="")
    csv_writer(stream).writerows(ROWS)
    assert list(csv.reader(io.StringIO(stream.getvalue(), newline=""))) == ROWS


@pytest.mark.parametrize("rows", [[["a", "b"], [1, 2.5], ["", "x y"]], [["one\ncell", 'a "b"']], [[""]]])
def test_rows_without_a_carriage_return_are_written_as_the_standard_library_writes_them(rows: list[list[str]]) -> None:
    ours, theirs = io.StringIO(newline=""), io.StringIO(newline="")
    csv_writer(ours).writerows(rows)
    csv.writer(theirs, lineterminator="\n").writerows(rows)
    assert ours.getvalue() == theirs.getvalue()
