"""From a sheet to a prepared table: which rows and columns are used, what they are, and how they are split."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.data.tables.form import PACKED_NAME, TABLE_NAME, open_table
from dlcli.data.tables.rows import parse_sheet
from dlcli.data.tables.writer import TableRequest, write_table

COUNT = 40


def sheet(**columns):
    """Return a sheet of 40 rows; each column is a function of the row or a list of cells."""
    cells = [[str(value(row) if callable(value) else value[row]) for row in range(COUNT)] for value in columns.values()]
    lines = [",".join(columns), *map(",".join, zip(*cells, strict=True))]
    return parse_sheet("\n".join(lines) + "\n", "x.csv", delimiter="comma", header=True)


def write(folder, table, target="y", **request):
    folder.mkdir(exist_ok=True)
    card = write_table(table, TableRequest(target, **request), folder, "things", "x.csv")
    (folder / "dataset.json").write_text(json.dumps(card.to_json()), encoding="utf-8")
    return open_table(folder)


def kinds(form):
    return {column.name: column.kind for column in form.columns}


def real(row):
    return row * 1.5


def size(row):
    return row * 7 % 13


def colour(row):
    return ("red", "蓝", "green")[row % 3]


def test_the_packed_numbers_are_those_of_the_written_csv(tmp_path):
    form = write(tmp_path, sheet(size=size, 颜色=colour, y=real))
    (tmp_path / PACKED_NAME).unlink()
    again = open_table(tmp_path)
    assert again.card == form.card
    for name in ("numeric", "categories", "targets", "is_test"):
        np.testing.assert_array_equal(getattr(again.rows, name), getattr(form.rows, name))


def test_the_csv_has_the_used_columns_in_the_order_of_the_source_and_the_split(tmp_path):
    form = write(tmp_path, sheet(y=real, id=lambda row: row + 1, 颜色=colour, size=size), drop={"size": "asked for"})
    with (tmp_path / TABLE_NAME).open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["y", "颜色", "split"]
    assert [row[:2] for row in rows] == [[str(real(row)), colour(row)] for row in range(COUNT)]
    assert [row[2] == "test" for row in rows] == form.rows.is_test.tolist()


def test_a_carriage_return_in_a_cell_begins_no_row(tmp_path):
    write(tmp_path, sheet(y=real, 颜色=lambda row: ("red", "so\rblue")[row % 2], size=size))
    with (tmp_path / TABLE_NAME).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["颜色"] for row in rows] == ["red", "so\rblue"] * (COUNT // 2)


def test_what_is_not_used_stands_on_the_card_with_its_reason(tmp_path):
    table = sheet(y=real, id=lambda row: row + 1, size=size, same=lambda row: "a", gone=lambda row: "", code=size)
    form = write(tmp_path, table, drop={"code": "asked for"})
    assert set(form.card.details["dropped"]) == {"id", "same", "gone", "code"}
    assert form.card.details["dropped"]["code"] == "asked for"
    assert all(any(repr(name) in note for note in form.card.warnings) for name in ("id", "same", "gone", "code"))


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("size", size, "numeric"),
        ("size", real, "numeric"),
        ("size", lambda row: row + 1, None),  # 1, 2, 3, ... number the rows, whatever they are called
        ("size", lambda row: COUNT - row, "numeric"),  # all different, but no name of a key
        ("user_id", lambda row: COUNT - row, None),
        ("编号", lambda row: COUNT - row, None),
        ("id", lambda row: row % 20, "numeric"),  # a key that recurs says something
        ("id", lambda row: row + 0.5, "numeric"),
        ("name", lambda row: f"person {row}", None),
        ("name", lambda row: f"person {row % 30}", "categorical"),
        ("flag", lambda row: "" if row % 2 else "yes", "categorical"),  # known or not: that is two values
        ("flag", lambda row: "yes", None),
        ("grade", lambda row: "none" if row % 9 == 0 else row % 4, "numeric"),
        ("grade", lambda row: "A" if row % 9 == 0 else row % 4, "categorical"),  # few numbers among words are names
    ],
)
def test_a_column_is_numbers_names_or_of_no_use(tmp_path, name, value, kind):
    form = write(tmp_path, sheet(other=lambda row: row * 3 % 11, y=real, **{name: value}))
    assert kinds(form).get(name) == kind


def test_categories_of_numbers_stand_in_the_order_of_their_values(tmp_path):
    table = sheet(code=lambda row: (100, 20, 3, "b", "a")[row % 5], y=real)
    form = write(tmp_path, table, categorical=("code",))
    assert form.columns[0].values == ("3", "20", "100", "a", "b")


@pytest.mark.parametrize(
    ("target", "task", "classes"),
    [
        (real, "regression", ()),
        (lambda row: row % 3, "regression", ()),
        (colour, "table-classification", ("green", "red", "蓝")),
        (lambda row: (10, 9, "many")[row % 3], "table-classification", ("9", "10", "many")),
    ],
)
def test_the_task_follows_the_values_of_the_target(tmp_path, target, task, classes):
    form = write(tmp_path, sheet(size=size, y=target))
    assert (form.task, form.card.classes) == (task, classes)


def test_the_request_decides_where_the_target_may_be_both(tmp_path):
    table = sheet(size=size, y=lambda row: (10, 9, 100)[row % 3])
    assert write(tmp_path / "a", table, task="table-classification").card.classes == ("9", "10", "100")
    plain = write(tmp_path / "b", table)
    assert plain.task == "regression"
    assert any("--task classification" in note and "3" in note for note in plain.card.warnings)


@pytest.mark.parametrize(
    ("columns", "request_", "facts"),
    [
        ({"size": size, "y": real}, {"target": "z"}, ["x.csv", "'z'"]),
        ({"size": size, "y": real}, {"categorical": ("sise",)}, ["'sise'"]),
        ({"size": size, "y": real}, {"drop": {"sise": ""}}, ["'sise'"]),
        ({"size": size, "y": lambda row: row if row < 9 else ""}, {}, ["9 rows", "10"]),
        ({"size": size, "y": lambda row: f"2020-01-{row % 28 + 1:02d}"}, {}, ["'y'", "dates"]),
        ({"size": size, "y": lambda row: "x" if row == 4 else row}, {"task": "regression"}, ["line 6", "'x'"]),
        ({"size": size, "y": lambda row: 7}, {}, ["'7'"]),
        ({"size": size, "y": lambda row: f"w{row // 2 if row < 38 else row}"}, {}, ["21 classes", "40 rows"]),
        ({"y": real}, {}, ["'y'"]),
        ({"day": lambda row: "1 Mar 2020", "when": lambda row: f"2020/1/{row % 28 + 1}", "y": real}, {}, ["'when'"]),
        ({"n": lambda row: "about 3" if row == 7 else real(row), "y": real}, {}, ["'n'", "'about 3'"]),
        ({"size": size, "split": lambda row: "train", "y": real}, {}, ["'split'", "--drop split"]),
        ({"size": size, "split": lambda row: ("test", "dev")[row % 2], "y": real}, {}, ["'split'"]),
        ({"size": size, "split": lambda row: ("test", "train")[row % 2], "y": lambda row: "ab"[row % 2]}, {}, ["'a'"]),
    ],
)  # fmt: skip
def test_what_makes_no_table_is_refused_by_column_and_line(tmp_path, columns, request_, facts):
    with pytest.raises(DataError) as caught:
        write(tmp_path, sheet(**columns), **request_)
    said = "\n".join(caught.value.lines())
    assert all(fact in said for fact in facts)
    assert "x.csv" in caught.value.message


def test_ten_rows_are_enough_and_a_gap_in_the_target_costs_its_row_alone(tmp_path):
    form = write(tmp_path, sheet(size=size, y=lambda row: row if row % 4 == 0 else "NA"))
    np.testing.assert_array_equal(form.rows.targets, np.arange(0, COUNT, 4))
    np.testing.assert_array_equal(form.rows.numeric[:, 0], [size(row) for row in range(0, COUNT, 4)])
    assert any("30" in note and "'y'" in note for note in form.card.warnings)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_each_class_gives_its_share_to_the_test_split(tmp_path, fraction):
    form = write(tmp_path, sheet(size=size, y=lambda row: "ab"[row % 4 == 0]), test_fraction=fraction)
    assert form.card.counts["test"] == {"a": round(30 * fraction), "b": round(10 * fraction)}
    rows = [set(form.split_rows(split).tolist()) for split in ("train", "test")]
    assert rows[0] | rows[1] == set(range(COUNT)) and not rows[0] & rows[1]


def test_a_class_of_one_row_trains_and_is_named(tmp_path):
    form = write(tmp_path, sheet(size=size, y=lambda row: "单" if row == 3 else "ab"[row % 2]))
    assert form.card.counts["train"]["单"] == 1
    assert any("'单'" in note for note in form.card.warnings)


def test_a_column_called_split_may_be_left_out_and_is_otherwise_obeyed_in_any_case(tmp_path):
    table = sheet(size=size, y=real, split=lambda row: ("TRAIN", "Test")[row % 4 == 1])
    form = write(tmp_path / "a", table)
    assert form.split_rows("test").tolist() == list(range(1, COUNT, 4))
    assert "split" not in kinds(form)
    seeded = write(tmp_path / "b", table, drop={"split": "asked for"})
    assert len(seeded.split_rows("test")) == 8


def test_copies_of_training_rows_in_test_are_counted_by_the_used_columns_alone(tmp_path):
    table = sheet(
        size=lambda row: row % 20,
        note=lambda row: row * 3,
        y=lambda row: row % 20,
        split=lambda row: ("train", "test")[row >= 30],
    )
    clean, copied = write(tmp_path / "a", table), write(tmp_path / "b", table, drop={"note": "asked for"})
    assert not any("test" in note and "train too" in note for note in clean.card.warnings)
    assert any(note.startswith("10 rows of test") for note in copied.card.warnings)


def test_the_packed_copy_is_fresh_until_the_card_names_other_columns(tmp_path):
    form = write(tmp_path, sheet(size=size, 颜色=colour, y=real))
    packed, card = tmp_path / PACKED_NAME, tmp_path / "dataset.json"
    before = packed.stat().st_mtime_ns
    assert open_table(tmp_path).card == form.card
    assert packed.stat().st_mtime_ns == before
    card.write_text(card.read_text(encoding="utf-8").replace("size", "sise"), encoding="utf-8")
    with pytest.raises(DataError, match="does not match the card"):
        open_table(tmp_path)
