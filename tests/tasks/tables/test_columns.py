"""What a run learns about its columns comes from the rows that train, and travels whole."""

from __future__ import annotations

import copy
import csv
import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.core.errors import DataError, RunError
from dlcli.data.tables.form import open_table
from dlcli.tasks.tables.columns import CategoricalColumn, NumericColumn, TableColumns
from dlcli.tasks.tables.learning import fit_rows, learn_columns


@pytest.fixture
def form(make_table):
    return open_table(make_table())


@pytest.fixture
def columns(form):
    return learn_columns(form, form.split_rows("train"), num_bins=4)


def test_rows_that_do_not_train_teach_nothing(form):
    rows = form.split_rows("train")
    expected = learn_columns(form, rows, num_bins=4)
    rest = np.setdiff1d(np.arange(form.num_rows), rows)
    form.rows.numeric[rest] = 1e9
    form.rows.categories[rest] = 2
    form.rows.targets[rest] = -1e9
    assert learn_columns(form, rows, num_bins=4) == expected


def test_medians_means_bins_and_the_target_are_those_of_the_rows(form, columns):
    rows = form.split_rows("train")
    size, age = columns.numeric
    values = form.rows.numeric[rows, 0]
    assert (size.median, size.mean, size.std) == pytest.approx((np.median(values), values.mean(), values.std()))
    assert size.edges == pytest.approx(np.quantile(values, [0, 0.25, 0.5, 0.75, 1]))
    assert age.median == np.nanmedian(form.rows.numeric[rows, 1])
    assert size.quartile_range == pytest.approx(np.subtract(*np.quantile(values, (0.75, 0.25))))
    targets = form.rows.targets[rows]
    assert (columns.mean, columns.std, columns.lowest, columns.highest) == pytest.approx(
        (targets.mean(), targets.std(), targets.min(), targets.max())
    )


def test_what_travels_as_json_comes_back(columns):
    value = json.loads(json.dumps(columns.to_json(), allow_nan=False))
    assert TableColumns.from_json(value) == columns


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: value.pop("numeric"),
        lambda value: value.update(numeric=[], categorical=[]),
        lambda value: value["numeric"][0].update(std=0),
        lambda value: value["numeric"][0].update(mean="x"),
        lambda value: value["numeric"][0].update(edges=[2, 1]),
        lambda value: value["numeric"][1].update(name="size"),
        lambda value: value["categorical"][0].update(categories=["a", "a"]),
        lambda value: value["target"].update(mean=1e300),
        lambda value: value["target"].update(lowest=5, highest=4),
        lambda value: value.update(target=None),
    ],
)
def test_damaged_columns_are_refused(columns, damage):
    value = copy.deepcopy(columns.to_json())
    damage(value)
    with pytest.raises(RunError, match="columns that came with the model are damaged"):
        TableColumns.from_json(value)


def test_a_row_of_texts_is_encoded_as_the_table_has_it(form, columns):
    arrays = fit_rows(form, columns)
    lines = (form.root / "table.csv").read_text().splitlines()
    names = lines[0].split(",")
    for row in (0, 1, 7):
        encoded, _ = columns.encode(dict(zip(names, lines[row + 1].split(","), strict=True)))
        for name, array in arrays.items():
            np.testing.assert_array_equal(encoded[name], array[row])


def test_what_training_has_not_seen_is_said_and_answered(columns):
    arrays, notes = columns.encode({"size": "", "city": "Metz", "age": "30"})
    assert np.isnan(arrays["numeric"][0])
    assert arrays["categories"].tolist() == [0]
    assert len(notes) == 2
    assert "training median" in notes[0]
    assert "'Metz', which never occurs in the training data" in notes[1]


def test_a_missing_category_is_its_own_where_training_had_one(make_table):
    lines = ["size,city,price,kind", *(f"{row},{'NA' if row % 4 == 0 else 'Nice'},{row},a" for row in range(40))]
    form = open_table(make_table(lines=lines))
    columns = learn_columns(form, np.arange(form.num_rows), 0)
    [city] = columns.categorical
    assert (city.categories, city.has_missing, city.size) == (("Nice",), True, 3)
    assert columns.encode({"size": "1", "city": "?"})[0]["categories"].tolist() == [2]
    assert set(fit_rows(form, columns)["categories"][:, 0].tolist()) == {1, 2}


@pytest.mark.parametrize("cell", ["tall", "1e39", "inf", "1_0"])
def test_a_cell_that_is_no_number_is_a_fault(columns, cell):
    with pytest.raises(DataError, match=r"size is .* not a number"):
        columns.encode({"size": cell, "city": "Lyon", "age": "3"})


def test_columns_are_matched_by_name_and_not_by_place(form, columns, make_table, table_lines):
    lines = [",".join(reversed(line.split(","))) for line in table_lines]
    other = open_table(make_table(lines=lines, name="reversed"))
    assert [column.name for column in other.columns] != [column.name for column in form.columns]
    for name, array in fit_rows(other, columns).items():
        np.testing.assert_array_equal(array, fit_rows(form, columns)[name])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"city": "town"}, "the categorical column 'city'; in this data it is missing"),
        ({"Lyon": "1", "Nice": "2", "Brest": "3"}, "in this data it is numeric"),
    ],
)
def test_another_table_is_refused(columns, make_table, table_lines, changes, says):
    text = "\n".join(table_lines)
    for old, new in changes.items():
        text = text.replace(old, new)
    with pytest.raises(DataError, match=says):
        fit_rows(open_table(make_table(lines=text.splitlines(), name="other")), columns)


def test_a_constant_column_and_a_constant_target_divide_by_nothing(make_table):
    lines = ["size,age,price,kind", *(f"{5 if row < 30 else 6},{row},{1 if row < 30 else row},a" for row in range(40))]
    form = open_table(make_table(lines=lines))
    columns = learn_columns(form, np.arange(30), 4)
    assert (columns.numeric[0].std, columns.numeric[0].edges, columns.std) == (1.0, (), 1.0)


NAMES = st.text(st.sampled_from('ab 城\u3000,"é\n0'), min_size=1, max_size=6)
NUMBERS = st.floats(-1e30, 1e30)


@st.composite
def any_columns(draw):
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    cut = draw(st.integers(0, len(names)))
    numeric = tuple(
        NumericColumn(
            name, draw(NUMBERS), draw(NUMBERS), draw(st.floats(1e-6, 1e30)),
            tuple(sorted(draw(st.lists(NUMBERS, max_size=4, unique=True)))),
        )
        for name in names[:cut]
    )  # fmt: skip
    categorical = tuple(
        CategoricalColumn(name, tuple(draw(st.lists(NAMES, max_size=4, unique=True))), draw(st.booleans()))
        for name in names[cut:]
    )
    lowest, highest = sorted((draw(NUMBERS), draw(NUMBERS)))
    return TableColumns(numeric, categorical, draw(NAMES), draw(NUMBERS), draw(st.floats(1e-6, 1e30)), lowest, highest)


@settings(max_examples=40)
@given(any_columns())
def test_columns_of_any_names_and_numbers_travel_as_json(columns):
    assert TableColumns.from_json(json.loads(json.dumps(columns.to_json(), allow_nan=False))) == columns


@pytest.mark.parametrize(
    ("categories", "has_missing", "size", "missing"),
    [((), False, 1, 0), ((), True, 2, 1), (("a", "b"), False, 3, 0), (("a", "b"), True, 4, 3)],
)
def test_places_are_the_unknown_the_categories_and_the_missing(categories, has_missing, size, missing):
    column = CategoricalColumn("c", categories, has_missing)
    assert (column.size, column.missing) == (size, missing)
    columns = TableColumns((), (column,), "y")
    cells = [*categories, "else", ""]
    places = [int(columns.encode({"c": cell})[0]["categories"][0]) for cell in cells]
    assert places == [*range(1, len(categories) + 1), 0, missing]


def test_inputs_are_of_the_kinds_that_there_are():
    number, category = NumericColumn("n", 0.0, 0.0, 1.0, ()), CategoricalColumn("c", ("a",), False)
    assert TableColumns((number,), (), "y").inputs == ("numeric",)
    assert TableColumns((), (category,), "y").inputs == ("categories",)
    both = TableColumns((number,), (category,), "y")
    assert (both.inputs, both.names) == (("numeric", "categories"), ("n", "c"))
    arrays, notes = both.encode({"n": " 1.5 ", "c": "a", "else": "?"})
    assert (arrays["numeric"].dtype, arrays["numeric"].tolist()) == (np.float32, [1.5])
    assert (arrays["categories"].dtype, arrays["categories"].tolist(), notes) == (np.int64, [1], [])


def test_nothing_can_be_learnt_from_no_rows(form):
    with pytest.raises(DataError, match=str(form.root)) as caught:
        learn_columns(form, np.empty(0, int), 4)
    assert "--val-fraction" in str(caught.value.hint)


def test_a_number_that_float32_cannot_hold_is_refused_with_its_column(form):
    rows = form.split_rows("train")
    form.rows.numeric[rows[0], 0] = 1e39
    with pytest.raises(DataError, match=r"'size' .*1e\+39"):
        learn_columns(form, rows, 4)


def test_a_column_that_is_missing_throughout_is_a_constant(form):
    form.rows.numeric[:, 1] = np.nan
    columns = learn_columns(form, form.split_rows("train"), 4)
    assert columns.numeric[1] == NumericColumn("age", 0.0, 0.0, 1.0, ())


@pytest.mark.parametrize("num_bins", [0, 1, 3, 256])
def test_there_are_no_more_bins_than_wanted_and_all_of_them_rise(form, num_bins):
    columns = learn_columns(form, form.split_rows("train"), num_bins)
    for column in columns.numeric:
        assert len(column.edges) in (0, *range(2, num_bins + 2))
        assert list(column.edges) == sorted(set(column.edges))
        assert bool(column.edges) is (num_bins > 0)


def test_only_categories_of_the_rows_that_train_have_a_place(form):
    cities = form.rows.categories[:, 0]
    values = next(column.values for column in form.columns if column.name == "city")
    rows = np.flatnonzero(cities != 0)
    columns = learn_columns(form, rows, 0)
    [city] = columns.categorical
    assert set(city.categories) == set(values) - {values[0]}
    places = fit_rows(form, columns)["categories"][:, 0]
    assert set(places[cities == 0].tolist()) == {0}
    assert [city.categories[place - 1] for place in places[rows]] == [values[place] for place in cities[rows]]


def test_a_row_is_read_as_it_was_prepared_whatever_the_notation(make_table):
    lines = ["size,city,age,price,kind"]
    for row in range(60):
        age = '"2,5"' if row % 7 else ""
        lines.append(f'{row * 7 % 50}%,Lyon,{age if row % 2 else row % 9},"${1 + row},000",dear')
    form = open_table(make_table(lines=lines))
    columns = learn_columns(form, np.arange(60), num_bins=4)
    columns = TableColumns.from_json(json.loads(json.dumps(columns.to_json())))
    rows = fit_rows(form, columns)
    assert (form.rows.targets == 1000.0 * np.arange(1, 61)).all()
    with (form.root / "table.csv").open(encoding="utf-8", newline="") as stream:
        for index, cells in enumerate(csv.DictReader(stream)):
            arrays, _ = columns.encode(cells)
            np.testing.assert_array_equal(arrays["numeric"], rows["numeric"][index])
    with pytest.raises(DataError, match=r"size is '7', not a number written as 12\.5 %"):
        columns.encode({"size": "7", "age": "1"})
    form.root.joinpath("packed", "table.npz").unlink()
    np.testing.assert_array_equal(open_table(form.root).rows.numeric, form.rows.numeric)
    np.testing.assert_array_equal(open_table(form.root).rows.targets, form.rows.targets)


def test_columns_of_version_0_1_0_are_plain_and_not_centred(columns):
    value = columns.to_json()
    for entry in (*value["numeric"], value["target"]):
        entry.pop("offset")
        entry.pop("notation", None)
    assert TableColumns.from_json(value) == columns


def test_a_time_in_milliseconds_keeps_its_last_digit(columns):
    far = dataclasses.replace(columns.numeric[0], offset=1.7e12)
    columns = dataclasses.replace(columns, numeric=(far, columns.numeric[1]))
    arrays, _ = columns.encode({"size": "1700000000001", "age": "3", "city": "Lyon"})
    assert arrays["numeric"].tolist() == [1, 3]
