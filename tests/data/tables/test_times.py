"""Rows have an order in time: that of the file, of a column of numbers, or of one of dates."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlcli.core.errors import DataError, UsageError
from dlcli.data.tables.form import open_table
from dlcli.data.tables.rows import parse_sheet
from dlcli.data.tables.times import row_times
from dlcli.data.tables.writer import TableRequest, write_table

DATES = ["2024-01-31", "2023-12-01", "2024-01-31T12:00", "2024-01-31 12:00:00+02:00"]


@pytest.fixture
def form_with(tmp_path):
    def make(cells):
        lines = ["when,day,size,y", *(f"{cell},{30 - row},{row % 7},{row * 1.5}" for row, cell in enumerate(cells))]
        request = TableRequest("y", drop=dict.fromkeys(("when",), "asked for"))
        card = write_table(parse_sheet("\n".join(lines), "x", header=True), request, tmp_path, "x", "x")
        (tmp_path / "dataset.json").write_text(json.dumps(card.to_json()), encoding="utf-8")
        return open_table(tmp_path)

    return make


def test_rows_are_in_the_order_of_the_file_or_of_a_column_of_numbers(form_with):
    form = form_with([f"{100 - row}.5" for row in range(12)])
    assert row_times(form, "").tolist() == list(range(12))
    assert row_times(form, "day").tolist() == list(range(30, 18, -1))
    assert row_times(form, "when").tolist() == [100.5 - row for row in range(12)]


def test_dates_and_times_are_ordered_as_they_are_in_time(form_with):
    times = row_times(form_with(DATES * 3), "when")[:4]
    assert np.argsort(times).tolist() == [1, 0, 3, 2]  # noon two hours east of Greenwich is ten o'clock there
    assert (times[2] - times[0], times[2] - times[3]) == (12 * 3600, 2 * 3600)


@pytest.mark.parametrize(("cell", "reason"), [("yesterday", "'yesterday' is neither"), ("?", "is missing")])
def test_a_cell_that_is_no_time_is_named_with_its_row(form_with, cell, reason):
    form = form_with([*DATES * 3, cell])
    with pytest.raises(DataError, match=f"row 13 of the column 'when' {reason}"):
        row_times(form, "when")


def test_a_gap_among_numbers_is_no_time(form_with):
    form = form_with(["1", "2", "", *map(str, range(9))])
    with pytest.raises(DataError, match="row 3 of the column 'when' is missing"):
        row_times(form, "when")


def test_a_column_that_is_not_there_or_is_to_be_predicted_is_refused(form_with):
    form = form_with(DATES * 3)
    with pytest.raises(DataError, match="no column of numbers or dates 'wen'") as caught:
        row_times(form, "wen")
    assert "when" in caught.value.hint
    with pytest.raises(UsageError, match="'y' is the column to predict"):
        row_times(form, "y")
