"""Rows from a program: the cells of JSON objects and the content of CSV files, read as a file's are."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.data.reading import lines
from dlcli.data.tables.form import open_table
from dlcli.data.tables.numbers import PLAIN, Notation
from dlcli.tasks.tables.codec import RegressionCodec
from dlcli.tasks.tables.columns import CategoricalColumn, NumericColumn, TableColumns
from dlcli.tasks.tables.inputs import RowReader
from dlcli.tasks.tables.learning import learn_columns
from dlcli.tasks.tables.values import MAX_LISTED, RowValues


@pytest.fixture
def codec(make_table):
    form = open_table(make_table())
    return RegressionCodec({"columns": learn_columns(form, form.split_rows("train"), 4).to_json(), "ensemble": 1})


def values_of(*categories: str) -> RowValues:
    """Return the values of a table with one column, `c`, of these categories."""
    columns = TableColumns((), (CategoricalColumn("c", categories, False),), "y")
    return RowValues(columns, RowReader(columns.names, "y", None))


def test_a_row_of_json_gives_the_arrays_of_the_same_row_in_a_file(codec):
    [in_file] = codec.values.sources_of_file("q.csv", b"size,city,age\n50.5,Nice,\n")
    in_json = codec.values.source("0", {"size": 50.5, "city": "Nice", "age": None})
    one, other = codec.encode(in_file), codec.encode(in_json)
    assert one.kept == other.kept and "age is missing" in one.kept["note"]
    assert {name: array.tolist() for name, array in one.arrays.items()} == {
        name: array.tolist() for name, array in other.arrays.items()
    } or np.isnan(one.arrays["numeric"]).any()
    assert (in_file.name, in_json.name) == ("q.csv:2", "0")


def test_a_file_keeps_its_faults_in_their_lines(codec):
    sources = codec.values.sources_of_file("q.csv", b"size,city,age\n1,Nice,2\n1,2\n\nx,Nice,2")
    assert [source.name for source in sources] == ["q.csv:2", "q.csv:3", "q.csv:4", "q.csv:5"]
    errors = [codec.encode(source).error for source in sources]
    assert errors[0] is None
    assert errors[1:3] == ["2 cells, but 3 columns", "an empty line"]
    assert "size is 'x'" in errors[3]
    [lacking] = codec.values.sources_of_file("q.csv", b"size,age\n1,2\n")
    assert codec.encode(lacking).error == "lacks the column city"
    assert codec.values.sources_of_file("q.csv", b"") == []


def test_a_file_is_not_read_far_beyond_the_rows_that_are_wanted(codec):
    data = b"size,city,age\n" + b"1,Nice,2\n" * 1000
    names = [source.name for source in codec.values.sources_of_file("q.csv", data, 2)]
    assert names == ["q.csv:2", "q.csv:3", "q.csv:4"]
    assert [len(codec.values.sources_of_file("q.csv", data, most)) for most in (1000, None)] == [1000, 1000]


@pytest.mark.parametrize("idle", [b"\n" * 200, b'"' + b"a\n" * 200])
def test_lines_that_only_wait_for_a_row_are_not_all_held(codec, monkeypatch, idle):
    monkeypatch.setattr(lines, "MAX_WITHOUT_ROW", 100)
    data = b"size,city,age\n" + idle + b"1,Nice,2\n"
    with pytest.raises(DataError, match="101 lines without a row"):
        codec.values.sources_of_file("q.csv", data, 2)
    assert len(codec.values.sources_of_file("q.csv", data)) == 201


def test_two_files_are_two_tables(codec):
    for _ in range(2):
        [source] = codec.values.sources_of_file("q.csv", b"size,city,age\n1,Nice,2\n")
        assert codec.encode(source).error is None


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (None, "not an object"),
        ([1, 2, 3], "not an object"),
        ("size", "not an object"),
        ({"size": 1, "age": 2}, "lacks the column city"),
        ({"size": [1], "city": "Nice", "age": 2}, "size is no cell"),
        ({"size": {"a": 1}, "city": "Nice", "age": 2}, "size is no cell"),
        ({"size": "1_000", "city": "Nice", "age": 2}, "size is"),
        ({"size": True, "city": "Nice", "age": 2}, "size is"),
        ({"size": float("inf"), "city": "Nice", "age": 2}, "size is"),
        ({"size": 10**400, "city": "Nice", "age": 2}, "size is"),
    ],
)
def test_what_is_no_row_is_a_fault(codec, value, what):
    assert what in codec.encode(codec.values.source("0", value)).error


def test_columns_that_are_not_used_are_noted_but_not_the_target(codec):
    row = {"size": 1, "city": "Nice", "age": 2}
    assert codec.encode(codec.values.source("0", {**row, "price": 3})).kept == {}
    assert codec.encode(codec.values.source("0", {**row, "extra": 3})).kept == {"note": "not used: extra"}


@pytest.mark.parametrize(
    ("categories", "cell", "text"),
    [
        (("1", "2"), 1, "1"),
        (("1", "2"), 1.0, "1"),
        (("1.0", "2.0"), 1, "1.0"),
        (("True", "False"), True, "True"),
        (("true", "false"), True, "true"),
        (("a", "b"), " c ", "c"),
        (("a", "b"), None, ""),
        (("a", "b"), 2.5, "2.5"),
    ],
)
def test_a_category_is_spelt_as_the_training_data_spells_it(categories, cell, text):
    assert values_of(*categories).source("0", {"c": cell}).value.cells == {"c": text}


def test_the_schema_names_every_column_and_lists_no_endless_categories(codec):
    schema = codec.values.schema()
    assert schema["required"] == list(schema["properties"]) == list(codec.columns.names)
    assert schema["properties"]["city"]["examples"] == ["Brest", "Lyon", "Nice"]
    assert "examples" not in values_of(*map(str, range(MAX_LISTED + 1))).schema()["properties"]["c"]


@pytest.mark.parametrize(
    ("notation", "cells"),
    [
        (Notation(",", "."), {1.234: 1.234, 12.125: 12.125, 1234.5: 1234.5, -7: -7, "1.234,5": 1234.5}),
        (Notation(".", "", "", "%"), {5: 5, 12.5: 12.5, "12.5 %": 12.5}),
        (Notation(".", ",", "$", ""), {5: 5, 1200.25: 1200.25, "$1,200": 1200}),
        (PLAIN, {5: 5, 1e-7: 1e-7, "2.5": 2.5}),
    ],
)
def test_a_number_from_a_program_is_that_number_however_the_table_writes_numbers(notation, cells):
    column = NumericColumn("x", 0.0, 0.0, 1.0, (), notation=notation)
    columns = TableColumns((column,), (), "y")
    values = RowValues(columns, RowReader(columns.names, "y", None))
    for cell, number in cells.items():
        arrays, _ = columns.encode(values.source("0", {"x": cell}).value.cells)
        assert arrays["numeric"].tolist() == np.float32([number]).tolist()
