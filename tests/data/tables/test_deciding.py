"""What columns and targets are: decided by all of their cells, and said where it is not plain to see."""

from __future__ import annotations

import pytest

from dlcli.core.errors import DataError
from dlcli.data.tables.deciding import find_gaps, settle_column, settle_target
from dlcli.data.tables.rows import parse_sheet

COUNT = 60


def sheet(value):
    cells = [f'"{value(row)}",{row % 7}' for row in range(COUNT)]
    return parse_sheet("\n".join(["x,other", *cells]), "x.csv", delimiter="comma", header=True)


def settled(value, name="x", **options):
    notes = []
    table = sheet(value).renamed([name, "other"])
    return settle_column(name, table, notes, "x.csv", **options), notes


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda row: f"{row % 40}%", "'x' is read as numbers: '10%' is 10"),
        (lambda row: f"${1 + row % 40},000", "'$10,000' is 10000"),
        (lambda row: f"{row % 40},{row % 10}", "'10,0' is 10"),
        (lambda row: f"{1 + row % 40},500", "'10,500' is 10500; '1,500' could also be 1.5"),
        (lambda row: f"{row % 40} kg" if row % 9 else "", "'10 kg' is 10"),
    ],
)
def test_how_numbers_are_read_is_said_in_one_line(value, said):
    column, notes = settled(value)
    assert column.kind == "numeric"
    assert len(notes) == 1 and said in notes[0]


def of_semicolons(value, other="1,5"):
    """Return how a column of a table with semicolons is settled, and its first three numbers."""
    text = "\n".join(["x;other", *(f"{value(row)};{other}" for row in range(COUNT))])
    notes: list[str] = []
    table = parse_sheet(text, "x.csv")
    assert table.delimiter == "semicolon"
    column = settle_column("x", table, notes, "x.csv")
    return [column.notation.number(cell) for cell in table.column("x")[:3]], notes


@pytest.mark.parametrize(
    ("value", "other", "numbers", "said"),
    [
        (lambda row: f"{1 + row % 40},25", "1,5", [1.25, 2.25, 3.25], ""),
        (
            lambda row: (f"1.{200 + row},567", "999,500", f"{row},125")[row % 3],
            "1,5",
            [1200.567, 999.5, 2.125],
            "is 1200.567",
        ),
        (lambda row: ("999,50", f"1.{200 + row},56")[row % 2], "1,5", [999.5, 1201.56, 999.5], "is 1201.56"),
        (
            lambda row: ("1,234,567", f"{10 + row},345", "2,000")[row % 3],
            "a",
            [1234567, 11345, 2000],
            "'1,234,567' is 1234567",
        ),
        (lambda row: f"{1 + row % 40},500", "1,5", [1.5, 2.5, 3.5], "'1,500' could also be 1500"),
        (lambda row: ("999", "1.250")[row % 2], "1,5", [999, 1250, 999], "'1.250' could also be 1.25"),
        (lambda row: ("999", "1.250")[row % 2], "a", [999, 1.25, 999], ""),  # no comma in the table
        (lambda row: ("3,14", "2.5")[row % 2], "1,5", [3.14, 2.5, 3.14], ""),
        (lambda row: f"{row % 40},5 kg", "1,5", [0.5, 1.5, 2.5], "'10,5 kg' is 10.5"),
    ],
)
def test_where_semicolons_part_columns_the_decimal_mark_is_a_comma(value, other, numbers, said):
    found, notes = of_semicolons(value, other)
    assert found == numbers
    assert said in notes[0] if said else notes == []


@pytest.mark.parametrize(
    ("value", "facts"),
    [
        (lambda row: "about 3%" if row == 7 else f"{row % 40}%", ["numbers and 'about 3%'", "line 9"]),
        (lambda row: "12" if row == 7 else f"{row % 40}%", ["numbers and '12'", "--categorical 'x'"]),
        (lambda row: "five" if row == 7 else row % 5, ["numbers and 'five'"]),  # few values, but nearly all numbers
        (lambda row: f"{row % 40} {'kg' if row % 3 else 'g'}", ["different units: 'kg', 'g'"]),
        (lambda row: f"{row % 40}{'k' if row % 2 else ''}", ["different units", "none"]),
        (lambda row: "x" * 6000 if row == 7 else row / 7, ["numbers and 'xxx", "--drop 'x'"]),
        (lambda row: f"Jan {1 + row % 28:02d} 2024", ["holds dates", "--drop 'x'"]),
        (lambda row: "soon" if row == 9 else f"{1 + row % 12}/{1 + row % 28}/2024", ["holds dates"]),
        (lambda row: f"{row % 24}:30", ["holds dates"]),
        (lambda row: 10.0**300 * (row % 9), ["too large"]),
    ],
)
def test_a_column_of_numbers_or_dates_never_becomes_names(value, facts):
    with pytest.raises(DataError) as caught:
        settled(value)
    said = "\n".join(caught.value.lines())
    assert all(fact in said for fact in facts), said
    assert len(said) < 900


@pytest.mark.parametrize(
    "value", [lambda row: f"Jan {1 + row % 28:02d} 2024", lambda row: f"{row % 20} {'kg' * (row % 2)}"]
)
def test_the_user_may_say_that_they_are_names(value):
    column, notes = settled(value, is_categorical=True)
    assert (column.kind, notes) == ("categorical", [])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda row: f"0{1000 + row % 9}", "begin with 0, as '01000'"),
        (lambda row: f"202401{1 + row % 28:02d}", "looks like dates (20240101"),
        (lambda row: row * 7 % COUNT, "each of 0 to 59 once"),
    ],
)
def test_numbers_that_look_like_something_else_are_said(value, said):
    column, [note] = settled(value)
    assert column.kind == "numeric" and said in note


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x", lambda row: row),
        ("Unnamed: 0", lambda row: row * 7 % COUNT),
        ("column_1", lambda row: row * 7 % COUNT),
        ("Unnamed: 0", lambda row: row % 40),  # two tables joined
        ("user_id", lambda row: row * row),
    ],
)
def test_an_index_is_left_out_unless_it_shall_stay(name, value):
    reason, _ = settled(value, name)
    assert isinstance(reason, str) and f"--keep {name!r}" in reason
    column, _ = settled(value, name, is_kept=True)
    assert column.kind == "numeric"


def test_names_of_rows_may_stay_too():
    reason, _ = settled(lambda row: f"person {row}")
    assert "--keep 'x'" in reason
    column, _ = settled(lambda row: f"person {row}", is_kept=True)
    assert len(column.values) == COUNT


def target(value, task=None):
    notes = []
    return settle_target(sheet(value), "x", task, notes, "x.csv"), notes


def test_a_target_of_numbers_in_any_notation_is_a_regression():
    found, [note] = target(lambda row: f"${1 + row % 40},000")
    assert (found.task, found.classes, found.notation.prefix) == ("regression", (), "$")
    assert "'x' is read as numbers" in note


def test_one_number_written_in_several_ways_is_one_class():
    found, _ = target(lambda row: ("1", "1.0", "2", "02")[row % 4], "table-classification")
    assert found.classes == ("1", "02", "2")


@pytest.mark.parametrize(
    ("value", "fact"),
    [
        (lambda row: "x" if row == 7 else row * 1.5, "line 9"),
        (lambda row: "x" if row == 7 else row % 4, "line 9"),
        (lambda row: f"Jan {1 + row % 28:02d} 2024", "dates"),
        (lambda row: 1e300 * (row % 9), "too large"),
    ],
)
def test_a_target_of_numbers_never_becomes_classes(value, fact):
    with pytest.raises(DataError, match=fact):
        target(value)


@pytest.mark.parametrize(
    ("cells", "gaps"),
    [
        (["+", "-"] * 20, 0),
        (["+"] * 99 + ["-"], 0),  # a minus sign beside a plus sign is a class however rare
        (["mild", "severe", "none"] * 10, 0),
        (["mild", "severe"] * 20 + ["none"], 1),  # rare: a gap
        (["A", "B"] * 10 + ["NA"] * 5, 0),
        (["1.5", "2.5"] * 10 + ["NA"] * 5, 5),  # among numbers it is none of them
        (["A", "B"] * 10 + [""] * 5 + ["nan"] * 5 + ["?"] * 5, 15),  # never names
    ],
)
def test_a_mark_of_a_gap_is_a_class_where_it_is_frequent_among_names(cells, gaps):
    notes = []
    assert sum(find_gaps(cells, "y", notes, are_numbers=False)) == gaps
    assert all("is a class, not a gap" in note for note in notes)
    assert bool(notes) == (gaps == 0)
    assert sum(find_gaps(cells, "y", [], are_numbers=True)) >= gaps
