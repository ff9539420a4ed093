"""Rows keep the number that they have in the user's file, and columns that are left out stay at hand."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.data.tables.form import open_table
from dlcli.data.tables.origin import SOURCE_NAME, left_out_columns, number_rows, read_numbers
from dlcli.data.tables.rows import parse_sheet
from dlcli.data.tables.writer import TableRequest, write_table

LINES = ["house,a,y", *(f"H{row // 2},{row % 7},{'' if row in (0, 3) else row * 1.5}" for row in range(30))]


@pytest.fixture
def form(tmp_path):
    sheet = parse_sheet("\n".join([*LINES[:8], "ragged", *LINES[8:]]), "x.csv", header=True)
    card = write_table(sheet, TableRequest("y", drop={"house": "asked for"}), tmp_path, "x", "x.csv")
    (tmp_path / "dataset.json").write_text(json.dumps(card.to_json()), encoding="utf-8")
    return open_table(tmp_path)


def test_rows_are_numbered_as_in_the_file_whatever_was_left_out(form):
    numbers = read_numbers(form.root, form.card, form.num_rows)
    assert numbers.total == 31
    expected = [row + (row > 6) for row in range(30) if row not in (0, 3)]  # the ragged row stands behind row 6
    assert numbers.rows.tolist() == expected
    np.testing.assert_array_equal(form.rows.targets, [1.5 * (row - (row > 6)) for row in expected])


def test_a_ragged_row_has_a_number_and_an_empty_line_has_none():
    sheet = parse_sheet("a,b\n1,2\n\n1\n3,4\n", "x", header=True)
    assert number_rows(sheet) == {2: 0, 4: 1, 5: 2}


def test_columns_that_are_left_out_stay_beside_the_table(form):
    houses = left_out_columns(form.root, form.card, form.num_rows)
    assert list(houses) == ["house"]
    assert houses["house"] == [f"H{row // 2}" for row in range(30) if row not in (0, 3)]


def test_a_table_of_an_older_version_is_numbered_in_its_own_order(form):
    (form.root / SOURCE_NAME).unlink()
    assert read_numbers(form.root, form.card, 28).rows.tolist() == list(range(28))
    assert left_out_columns(form.root, form.card, 28) == {}


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("\n1,", "\nx,", 1),
        lambda text: text.replace("\n1,", "\n2,", 1),
        lambda text: text.replace("\n1,", "\n-1,", 1),
        lambda text: text.replace("\n1,", "\n31,", 1),
        lambda text: text.rpartition("\n30")[0],
        lambda text: "",
        lambda text: text + "99,H\n",
    ],
)
def test_a_file_that_does_not_match_the_table_is_refused(form, damage):
    path = form.root / SOURCE_NAME
    path.write_text(damage(path.read_text()))
    with pytest.raises(DataError, match="row by row") as caught:
        read_numbers(form.root, form.card, form.num_rows)
    assert "prepare the data again" in caught.value.hint


def test_a_card_that_counts_no_rows_is_refused(form):
    card = dataclasses.replace(form.card, details={**form.card.details, "source_rows": "many"})
    with pytest.raises(DataError, match="row by row"):
        read_numbers(form.root, card, form.num_rows)
