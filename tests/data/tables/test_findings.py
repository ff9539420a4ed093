"""What `dl doctor` finds in a table."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlcli.data.tables.findings import examine_table
from dlcli.data.tables.form import open_table
from dlcli.data.tables.rows import parse_sheet
from dlcli.data.tables.writer import TableRequest, write_table

# `flag` is 1 in every row that trains and 2 in the others; `rare` lacks three of five values.
ROWS = [
    ("red", "", 1, 10, "train"),
    ("blue", "", 1, 20, "train"),
    ("red", 3, 1, 30, "train"),
    ("NA", 4, 1, 40, "train"),
    ("green", "", 2, 50, "test"),
]
SHEET = parse_sheet("colour,rare,flag,price,split\n" + "".join(f"{','.join(map(str, row))}\n" for row in ROWS * 4), "x")


def found_in(folder, request):
    card = write_table(SHEET, request, folder, "things", "x")
    (folder / "dataset.json").write_text(json.dumps(card.to_json()))
    return {finding.what: (finding.state, finding.found) for finding in examine_table(folder) if finding.what != "card"}


def test_each_column_that_lacks_values_or_says_nothing_is_named(tmp_path):
    found = found_in(tmp_path, TableRequest("price"))
    assert found["column rare"] == ("warning", "12 of 20 values are missing (60%)")
    assert found["column colour"] == ("ok", "4 of 20 values are missing (20%)")
    assert found["column flag"] == ("warning", "has the same value in every training row")
    assert (found["train"], found["test"]) == (("ok", "16 rows"), ("ok", "4 rows"))
    assert found["target price"] == ("ok", "10 to 50, mean 30, standard deviation 14.1421")


def test_the_classes_of_a_target_are_counted(tmp_path):
    found = found_in(tmp_path, TableRequest("price", task="table-classification", drop={"split": "x"}))
    assert found["target price"] == ("ok", "5 classes: 10 4, 20 4, 30 4, 40 4, 50 4")
    assert found["train"] == ("ok", "15 rows, 3 to 3 a class")


def test_the_first_finding_tells_rows_and_columns(tmp_path):
    found_in(tmp_path, TableRequest("price"))
    first = next(examine_table(tmp_path))
    assert (first.what, first.found) == ("card", "things: 20 rows, 3 columns (2 numeric, 1 categorical)")
    assert open_table(tmp_path).num_rows == 20


@pytest.mark.parametrize("uneven", [False, True])
def test_classes_of_very_unequal_size_are_a_warning(tmp_path, uneven):
    rows = [f"{number % 7},{'rare' if number % (15 if uneven else 3) == 0 else 'common'}" for number in range(60)]
    sheet = parse_sheet("size,kind\n" + "\n".join(rows) + "\n", "x")
    card = write_table(sheet, TableRequest("kind"), tmp_path, "things", "x")
    (tmp_path / "dataset.json").write_text(json.dumps(card.to_json()))
    [train] = [finding for finding in examine_table(tmp_path) if finding.what == "train"]
    assert train.state == ("warning" if uneven else "ok")


def test_a_copy_of_the_target_is_named_once_by_prepare_and_by_doctor(tmp_path):
    random = np.random.default_rng(0)
    rows = [f"{random.normal():.3f},{2 * price:.3f},{price:.3f}" for price in random.normal(50, 20, 80)]
    sheet = parse_sheet("\n".join(["size,copy,price", *rows]), "x")
    card = write_table(sheet, TableRequest("price"), tmp_path, "things", "x")
    (tmp_path / "dataset.json").write_text(json.dumps(card.to_json()))
    assert [warning for warning in card.warnings if "'copy' gives the target away" in warning]
    found = [finding for finding in examine_table(tmp_path) if "away" in finding.found]
    assert [(finding.what, finding.state) for finding in found] == [("column copy", "warning")]
    assert "leave it out by --drop 'copy'" in found[0].fix


def test_rows_in_the_order_of_the_target_are_said_without_alarm(tmp_path):
    random = np.random.default_rng(0)
    rows = [f"{random.normal():.3f},{random.normal():.3f},{price}" for price in range(60)]
    sheet = parse_sheet("\n".join(["size,age,price", *rows]), "x")
    card = write_table(sheet, TableRequest("price"), tmp_path, "things", "x")
    (tmp_path / "dataset.json").write_text(json.dumps(card.to_json()))
    found = {finding.what: finding for finding in examine_table(tmp_path)}
    assert found["rows"].state == "ok"
    assert "lie in the order of 'price'" in found["rows"].found
