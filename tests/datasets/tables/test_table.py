"""A user's own table: which columns are used, of which kind, and what is said of the others."""

from __future__ import annotations

import numpy as np
import openpyxl
import pytest

from dlcli.core.errors import DataError
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.data.tables.form import open_table
from dlcli.datasets.tables.options import TableOptions
from dlcli.datasets.tables.table import TableImporter

COUNT = 40


def column(name, value):
    return name, [str(value(row)) for row in range(COUNT)]


PRICE = column("price", lambda row: 10 + row * 0.5)
SIZE = column("size", lambda row: (row * 7) % 13)


@pytest.fixture
def prepare(tmp_path):
    def run(*columns, encoding="utf-8", **options):
        names, cells = zip(*columns, strict=True)
        lines = [",".join(names), *(",".join(row) for row in zip(*cells, strict=True))]
        path = tmp_path / "own.csv"
        path.write_bytes("\n".join(lines).encode(encoding))
        importer = TableImporter(TableOptions(**{"target": "price", **options}))
        out = tmp_path / "data" / "table"
        prepare_dataset(importer, path, out, command="x", force=True, report=lambda line: None)
        return open_table(out)

    return run


def test_a_number_is_predicted_by_regression_and_a_word_by_its_class(prepare):
    form = prepare(PRICE, SIZE)
    assert (form.task, form.card.classes, form.card.items["test"]) == ("regression", (), 8)
    form = prepare(SIZE, column("kind", lambda row: "ab"[row % 2]), target="kind")
    assert (form.task, form.card.classes) == ("table-classification", ("a", "b"))
    assert form.card.counts == {"train": {"a": 16, "b": 16}, "test": {"a": 4, "b": 4}}


def test_numbers_are_classes_where_asked_for_and_in_the_order_of_numbers(prepare):
    stars = column("price", lambda row: (2, 10, 1)[row % 3])
    form = prepare(stars, SIZE, task="classification")
    assert form.card.classes == ("1", "2", "10")
    assert any("--task classification" in warning for warning in prepare(stars, SIZE).card.warnings)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (column("id", lambda row: 900 - row), "it numbers the rows"),
        (column("n", lambda row: row + 1), "it numbers the rows"),
        (column("country", lambda row: "fr"), "it is 'fr' in every row"),
        (column("empty", lambda row: ""), "it is empty"),
        (column("owner", lambda row: f"person {row}"), "texts are distinct"),
    ],
)
def test_columns_of_no_use_are_left_out_and_it_is_said_why(prepare, extra, says):
    form = prepare(PRICE, SIZE, extra)
    assert [entry.name for entry in form.columns] == ["size"]
    assert any(repr(extra[0]) in warning and says in warning for warning in form.card.warnings)


def test_a_column_with_gaps_is_kept_and_the_gaps_are_counted(prepare):
    form = prepare(PRICE, SIZE, column("rooms", lambda row: "" if row % 4 == 0 else row % 6))
    assert "'rooms': 10 of 40 values are missing, replaced by the training median" in form.card.warnings
    assert np.isnan(form.rows.numeric[:, 1]).sum() == 10


def test_rows_without_a_target_are_left_out_and_counted(prepare):
    form = prepare(column("price", lambda row: "NA" if row < 3 else row * 1.5), SIZE)
    assert form.num_rows == 37
    assert "3 rows have no 'price': skipped" in form.card.warnings


@pytest.mark.parametrize(
    "text", ["2020-01-{:02d}", "{:02d}/03/1999", "2020-01-{:02d} 12:30:00", "2021年3月{}日", "{} Mar 2020"]
)
def test_dates_are_refused_with_advice(prepare, text):
    with pytest.raises(DataError, match="the column 'day' holds dates") as caught:
        prepare(PRICE, SIZE, column("day", lambda row: text.format(1 + row % 28)))
    assert "--drop 'day'" in caught.value.hint


def test_a_column_can_be_left_out_and_numbers_can_be_names(prepare):
    day, code = column("day", lambda row: f"2020-01-{1 + row % 28:02d}"), column("code", lambda row: 100 + row % 3)
    form = prepare(PRICE, SIZE, day, code, drop=("day",), categorical=("code",))
    assert [(entry.name, entry.kind) for entry in form.columns] == [("size", "numeric"), ("code", "categorical")]
    assert form.columns[1].values == ("100", "101", "102")


def test_numbers_with_a_few_words_among_them_are_refused(prepare):
    with pytest.raises(DataError, match="holds numbers and 'about 3'"):
        prepare(PRICE, column("size", lambda row: "about 3" if row == 7 else row * 1.5))


@pytest.mark.parametrize(
    ("columns", "options", "says"),
    [
        ([PRICE, SIZE], {"target": None}, "which column"),
        ([PRICE, SIZE], {"target": "prise"}, "no column 'prise'"),
        ([PRICE, SIZE], {"drop": ("colour",)}, "no column 'colour'"),
        ([PRICE], {}, "no column is left"),
        ([column("price", lambda row: 3), SIZE], {}, "'3' in every row"),
        ([column("price", lambda row: "x" if row else 3), SIZE], {"task": "regression"}, "not a number"),
        ([column("price", lambda row: f"word {row}"), SIZE], {}, "40 classes in 40 rows"),
        ([column("price", lambda row: row if row < 4 else ""), SIZE], {}, "4 rows"),
        ([PRICE, SIZE, column("split", lambda row: "dev")], {}, "train or test"),
    ],
)
def test_a_table_that_makes_no_task_is_refused(prepare, columns, options, says):
    with pytest.raises(DataError, match=says):
        prepare(*columns, **options)


def test_a_split_of_its_own_is_kept(prepare):
    form = prepare(PRICE, SIZE, column("split", lambda row: "Test" if row % 5 == 0 else "train"))
    assert form.split_rows("test").tolist() == list(range(0, COUNT, 5))


def test_equal_seeds_split_alike_and_others_do_not(prepare):
    splits = [prepare(PRICE, SIZE, seed=seed).split_rows("test").tolist() for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]


def test_rows_that_stand_in_both_splits_are_counted(prepare):
    form = prepare(column("price", lambda row: row % 2), column("size", lambda row: row % 2))
    assert any("8 rows of test are in train too" in warning for warning in form.card.warnings)


def test_the_table_can_be_prepared_from_itself(prepare, tmp_path):
    first = prepare(PRICE, SIZE, column("kind", lambda row: ("a,b", "日 本")[row % 2]))
    importer = TableImporter(TableOptions(target="price"))
    prepare_dataset(
        importer, first.root / "table.csv", tmp_path / "twin", command="x", force=False, report=lambda _: None
    )
    second = open_table(tmp_path / "twin")
    assert second.columns == first.columns
    np.testing.assert_array_equal(second.rows.categories, first.rows.categories)
    np.testing.assert_array_equal(second.rows.is_test, first.rows.is_test)


def test_a_workbook_makes_the_form_that_its_csv_makes(prepare, tmp_path):
    kind = column("kind", lambda row: "ab"[row % 2])
    rows = list(zip(*(cells for _, cells in (PRICE, SIZE, kind)), strict=True))
    book = openpyxl.Workbook()
    book.active.append(["price", "size", "kind"])
    for price, size, name in rows:
        book.active.append([float(price), int(size), name])
    book.save(tmp_path / "own.xlsx")
    out = tmp_path / "data" / "workbook"
    importer = TableImporter(TableOptions(target="price"))
    prepare_dataset(importer, tmp_path / "own.xlsx", out, command="x", force=True, report=lambda line: None)
    form, own = open_table(out), prepare(PRICE, SIZE, kind)
    np.testing.assert_array_equal(form.rows.numeric, own.rows.numeric)
    np.testing.assert_array_equal(form.rows.categories, own.rows.categories)
    np.testing.assert_array_equal(form.rows.targets, own.rows.targets)
    assert form.card.counts == own.card.counts and form.card.items == own.card.items


def test_ordered_categories_become_ranks_that_survive_packing_again(prepare, tmp_path):
    grades = column("grade", lambda row: ("gold", "tin", "iron")[row % 3])
    sizes = column("fit", lambda row: "SML"[row % 3])
    form = prepare(PRICE, grades, sizes, ordered=("grade=tin,iron,gold",))
    numbers = form.rows.numeric[:6]
    assert numbers[:, 0].tolist() == [2, 0, 1, 2, 0, 1]
    assert numbers[:, 1].tolist() == [0, 1, 2, 0, 1, 2]
    (form.root / "packed" / "table.npz").unlink()
    assert (open_table(form.root).rows.numeric[:6] == numbers).all()


@pytest.mark.slow
def test_the_file_of_cars_is_prepared_as_it_comes(real_data, tmp_path):
    path = real_data / "auto-mpg" / "auto-mpg.data"
    out = tmp_path / "out"
    prepare_dataset(
        TableImporter(TableOptions(target="column_1")), path, out, command="x", force=True, report=lambda line: None
    )
    form = open_table(out)
    assert (form.num_rows, [column.kind for column in form.columns]) == (398, ["numeric"] * 7)
    assert np.isnan(form.rows.numeric).sum() == 6
    assert form.card.details["dropped"] == {
        "column_9": "305 of its 398 texts are distinct, as names are; --keep 'column_9' keeps it"
    }
