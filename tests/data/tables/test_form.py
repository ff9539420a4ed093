"""The form "table": what is written is read again, a changed table.csv counts, and nothing in it is trusted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.data.tables.form import PACKED_NAME, Column, encode_sheet, open_table
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


def encode(text, columns, target="y", classes=(), is_test=None):
    sheet = parse_sheet(text, "x", delimiter="comma", header=True)
    is_test = np.zeros(len(sheet.rows), bool) if is_test is None else np.array(is_test)
    return encode_sheet(sheet, columns, target, classes, is_test, "表.csv")


COLOUR, SIZE = Column("colour", "categorical", ("blue", "red")), Column("size", "numeric")


def test_a_sheet_becomes_numbers_column_by_column():
    rows = encode("size,y,colour\n1,10,red\n?,20,NA\n-2e1,30,blue\n", [COLOUR, SIZE], is_test=[False, True, False])
    np.testing.assert_array_equal(rows.numeric, [[1], [np.nan], [-20]])
    assert rows.categories.tolist() == [[1], [-1], [0]]
    assert (rows.targets.tolist(), rows.is_test.tolist()) == ([10, 20, 30], [False, True, False])
    assert (rows.numeric.dtype, rows.categories.dtype, rows.targets.dtype) == (np.float64, np.int64, np.float64)


def test_classes_are_numbered_by_their_place_on_the_card():
    rows = encode("size,y\n1,no\n2,yes\n", [SIZE], classes=("yes", "no"))
    assert rows.targets.tolist() == [1, 0] and rows.targets.dtype == np.int64
    assert rows.categories.shape == (2, 0)


@pytest.mark.parametrize(
    ("text", "classes", "facts"),
    [
        ("size,y,colour\n1,1,red\nbig,2,red\n", (), ["line 3", "size", "'big'"]),
        ("size,y,colour\n1,1,red\n2,2,pink\n", (), ["line 3", "colour", "'pink'"]),
        ("size,y,colour\n1,,red\n", (), ["line 2", "'y'"]),
        ("size,y,colour\n1,inf,red\n", (), ["line 2", "y", "'inf'"]),
        ("size,y,colour\n1,maybe,red\n", ("yes", "no"), ["line 2", "y", "'maybe'"]),
        ("size,y,colour\n1,NA,red\n", ("yes", "no"), ["line 2", "'NA'"]),
    ],
)
def test_a_cell_that_does_not_fit_is_named_with_its_line(text, classes, facts):
    with pytest.raises(DataError) as caught:
        encode(text, [COLOUR, SIZE], classes=classes)
    assert all(fact in caught.value.message for fact in ["表.csv", *facts])


def test_a_table_has_no_validation_split(folder):
    form = open_table(folder)
    with pytest.raises(DataError, match="'valid'") as caught:
        form.split_rows("valid")
    assert "train, test" in caught.value.hint


def test_names_of_a_kind_stand_in_the_order_of_the_numbers(folder):
    form = open_table(folder)
    assert (form.names("numeric"), form.names("categorical")) == (["size"], ["colour"])
    assert form.num_rows == len(form.rows.targets) == 20


def test_a_folder_without_a_table_says_how_to_make_one(tmp_path):
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(DataError) as caught:
            open_table(folder)
        assert str(folder) in caught.value.message
        assert "dl prepare" in caught.value.hint


def test_a_folder_that_cannot_be_written_is_read_all_the_same(folder, monkeypatch):
    before = open_table(folder)
    (folder / PACKED_NAME).unlink()

    def refuse(*_arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("dlcli.data.tables.form.write_packed", refuse)
    again = open_table(folder)
    np.testing.assert_array_equal(again.rows.numeric, before.rows.numeric)
    assert not (folder / PACKED_NAME).exists()
