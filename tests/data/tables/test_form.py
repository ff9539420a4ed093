"""The form "table": what is written is read again, a changed table.csv counts, and nothing in it is trusted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.data.tables.form import PACKED_NAME, open_table
from dlcli.data.tables.rows import parse_sheet
from dlcli.data.tables.writer import TableRequest, write_table

ROWS = [("red", "1", "10"), ("blue", "", "20"), ("red", "3", "30"), ("NA", "4", "40"), ("green", "5", "50")]
SHEET = parse_sheet("colour,size,price\n" + "".join(f"{','.join(row)}\n" for row in ROWS * 4), "x")


@pytest.fixture
def folder(tmp_path):
    card = write_table(SHEET, TableRequest("price"), tmp_path, "things", "x")
    (tmp_path / "dataset.json").write_text(json.dumps(card.to_json()))
    return tmp_path


def edit_card(folder, **details):
    card = json.loads((folder / "dataset.json").read_text())
    card["details"] |= details
    (folder / "dataset.json").write_text(json.dumps(card))


def test_rows_are_read_as_they_were_written(folder):
    form = open_table(folder)
    assert [column.kind for column in form.columns] == ["categorical", "numeric"]
    values = form.columns[0].values
    assert values == ("blue", "green", "red")
    places = form.rows.categories[:, 0]
    assert [values[place] if place >= 0 else "NA" for place in places] == [row[0] for row in ROWS * 4]
    np.testing.assert_array_equal(form.rows.numeric[:, 0], [1, np.nan, 3, 4, 5] * 4)
    np.testing.assert_array_equal(form.rows.targets, [10, 20, 30, 40, 50] * 4)


def test_the_splits_are_disjoint_and_hold_all_rows(folder):
    form = open_table(folder)
    rows = [form.split_rows(split) for split in form.splits()]
    assert sorted(np.concatenate(rows).tolist()) == list(range(form.num_rows))
    assert {split: len(part) for split, part in zip(form.splits(), rows, strict=True)} == {"train": 16, "test": 4}
    with pytest.raises(DataError, match="no split 'valid'"):
        form.split_rows("valid")


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"PK\3\4 no archive")])
def test_a_packed_copy_that_is_gone_or_damaged_is_made_again(folder, damage):
    before = open_table(folder)
    damage(folder / PACKED_NAME)
    after = open_table(folder)
    for name in vars(before.rows):
        np.testing.assert_array_equal(getattr(before.rows, name), getattr(after.rows, name))
    assert (folder / PACKED_NAME).is_file()


def test_a_changed_table_counts_and_is_said(folder):
    path = folder / "table.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]).replace("red,1,10,", "red,1.5,10,"))
    form = open_table(folder)
    assert form.num_rows == 19
    assert 1.5 in form.rows.numeric
    assert "19 rows found, 20 were prepared" in form.card.warnings[-1]
    assert sum(form.card.num_items(split) for split in form.splits()) == 19


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("red,1,10", "pink,1,10", "'pink', which is not on the card"),
        ("red,1,10", "red,tall,10", "size is 'tall', not a number"),
        ("red,1,10", "red,1,", "target 'price' is missing"),
        ("colour,size", "colour,height", "does not match the card"),
        (",train", ",trian", "'trian'"),
    ],
)
def test_a_table_that_does_not_fit_its_card_is_refused(folder, old, new, says):
    path = folder / "table.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=says):
        open_table(folder)


@pytest.mark.parametrize(
    "details",
    [
        {"columns": []},
        {"columns": [{"name": "size", "kind": "numeric"}, {"name": "size", "kind": "numeric"}]},
        {"columns": [{"name": "size", "kind": "sound"}]},
        {"columns": "size"},
        {"columns": [{"kind": "numeric"}]},
        {"columns": [{"name": "price", "kind": "numeric"}]},
        {"task": "juggling"},
        {"task": "table-classification"},
    ],
)
def test_a_damaged_card_is_refused(folder, details):
    edit_card(folder, **details)
    with pytest.raises(DataError, match="columns are damaged"):
        open_table(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"categories": np.full((20, 1), 9)},
        {"numeric": np.full((20, 1), np.inf)},
        {"targets": np.full(20, np.nan)},
        {"is_test": np.zeros(20, np.int64)},
        {"numeric": np.zeros((20, 2))},
    ],
)
def test_packed_numbers_that_do_not_fit_the_card_are_not_taken(folder, change):
    with np.load(folder / PACKED_NAME) as archive:
        arrays = dict(archive)
    np.savez(folder / PACKED_NAME, **{**arrays, **change})
    np.testing.assert_array_equal(open_table(folder).rows.targets, [10, 20, 30, 40, 50] * 4)


def test_another_form_is_refused(folder):
    card = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**card, "form": "images"}))
    with pytest.raises(DataError, match="holds the form 'images'"):
        open_table(folder)
