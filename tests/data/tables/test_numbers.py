"""Numbers in every usual notation: one column, one notation, decided by all of its cells."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data.tables.numbers import PLAIN, Notation, find_notation


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["12%", "3.5 %", "－5％"], [12, 3.5, -5]),
        (["1,234.5", "7", "1,000,000"], [1234.5, 7, 1e6]),
        (["1.234,5", "7", "1.000.000"], [1234.5, 7, 1e6]),
        (["1.234.567", "2.345"], [1234567, 2345]),
        (["1 234", "12"], [1234, 12]),
        (["1\u202f234,5", "1\u00a0000", "2\u2009000"], [1234.5, 1000, 2000]),
        (["1'234", "5\u2019000.25"], [1234, 5000.25]),
        (["12,34,567", "5"], [1234567, 5]),
        (["$1,200", "-$5", "$-5", "($7)"], [1200, -5, -5, -7]),
        (["€5", "€1,000.50"], [5, 1000.5]),
        (["5 €", "1.200 €"], [5, 1200]),  # no currency has thousandths
        (["5,50 €", "1.200,00 €"], [5.5, 1200]),
        (["¥1,200", "￥3".replace("￥", "¥")], [1200, 3]),
        (["US$5", "US$1,000"], [5, 1000]),
        (["USD 5", "USD 1,000"], [5, 1000]),
        (["R$ 5,00", "R$ 1.000,00"], [5, 1000]),
        (["12 kg", "3.5kg", "1,200 kg"], [12, 3.5, 1200]),
        (["20 °C", "-3°C"], [20, -3]),
        (["5 m2", "7 m²".replace("²", "2")], [5, 7]),
        (["21 years old", "3 years old"], [21, 3]),
        (["3,5", "0,25", ",5"], [3.5, 0.25, 0.5]),
        (["0,123", "0,456"], [0.123, 0.456]),  # no thousands begin with 0
        (["1,234", "12,5"], [1.234, 12.5]),
        (["(1,200)", "1,300.50", "5-"], [-1200, 1300.5, -5]),
        (["\u22125", "3", "+4"], [-5, 3, 4]),
        (["１２", "３．５", "7"], [12, 3.5, 7]),
        (["1e5", "2E-3"], [1e5, 2e-3]),
        (["1,5E+03", "2,0E-01"], [1500, 0.2]),
        (["1.2×10^5", "3"], [1.2e5, 3]),
    ],
)
def test_the_numbers_of_a_column_are_read_by_one_notation(cells, numbers):
    reading = find_notation(cells)
    assert reading.count == len(cells)
    assert [reading.notation.number(cell) for cell in cells] == numbers
    assert Notation.from_json(reading.notation.to_json()) == reading.notation


@given(
    st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=3, max_size=20),
    st.sampled_from([(".", ","), (",", "."), (",", " "), (".", "'"), (",", "\u202f"), (".", "")]),
    st.sampled_from(["{}", "{} %", "${}", "{} kg", "CHF {}"]),
)
def test_what_was_written_in_a_style_is_read_as_it_was(values, style, form):
    decimal, thousands = style
    table = str.maketrans({",": thousands, ".": decimal})
    cells = [form.format(f"{value:,.2f}".translate(table)) for value in values]
    notation = find_notation(cells).notation
    assert [notation.number(cell) for cell in cells] == [float(value) for value in values]


@pytest.mark.parametrize(
    ("cells", "taken", "other"),
    [
        (["1,234", "950"], 1234, 1.234),
        (["1,234", "12,345"], 1234, 1.234),
        (["1.234 kg", "2.500 kg"], 1.234, 1234),
    ],
)
def test_what_no_cell_decides_is_said(cells, taken, other):
    reading = find_notation(cells)
    assert reading.notation.number(cells[0]) == taken
    assert reading.other is not None and reading.other.number(cells[0]) == other


@pytest.mark.parametrize(
    "cells", [["1,234", "1,234,567"], ["1,234", "5.5"], ["1,234", "12,5"], ["$1,234", "$950"], ["1.5", "2"], ["5 kg"]]
)
def test_one_cell_can_decide_for_the_column(cells):
    assert find_notation(cells).other is None


@pytest.mark.parametrize(
    "cell",
    [
        "A12",
        "C85",
        "12a3",
        "1_000",
        "1.2.3",
        "192.168.1.1",
        "1/2",
        "5-10",
        "--5",
        "(5",
        "5)",
        "(-5)",
        "$",
        "",
        "inf",
        "1,23,4",
        "12:30",
        "1e999",
        "x" * 6000,
        "9" * 400,
    ],
)  # fmt: skip
def test_what_is_no_number_is_read_by_no_notation(cell):
    reading = find_notation([cell] * 3)
    number = reading.notation.number(cell)
    assert number is None or math.isnan(number)


def test_other_units_and_signs_are_none_of_the_column():
    reading = find_notation(["5 kg", "6 kg", "500 g", "7"])
    assert (reading.count, reading.affixes, reading.num_shaped) == (2, ("kg", "g", ""), 4)
    notation = reading.notation
    assert [notation.number(cell) for cell in ("5 kg", "500 g", "7", "$7", "5 kg/m")] == [5, None, None, None, None]
    assert math.isnan(notation.number("NA"))
    assert notation.described == "a number written as 12.5 kg"


def test_a_decimal_comma_takes_a_plain_number_too_unless_the_dot_means_thousands():
    assert Notation(",").number("3.5") == 3.5
    assert Notation(",", ".").number("3.5") is None
    assert Notation(",", ".").number("1.234") == 1234


def test_plain_numbers_stay_plain():
    assert find_notation(["1.234", "12.500", "3"]).notation == PLAIN == Notation.from_json(None)
    assert PLAIN.described == "a number"
    reading = find_notation(["1", "2", "x", "3.5"])
    assert (reading.notation, reading.count) == (PLAIN, 3)


@pytest.mark.parametrize("value", [[], "x", {"decimal": ";"}, {"decimals": "."}, {"thousands": "."}, 3])
def test_a_damaged_notation_is_refused(value):
    if not value:
        assert Notation.from_json(value) == PLAIN
        return
    with pytest.raises(ValueError, match=r"written|numbers"):
        Notation.from_json(value)


NOTATIONS = [
    Notation(decimal, thousands, prefix, suffix)
    for decimal, thousands in [(".", ""), (",", "."), (".", ","), (",", " ")]
    for prefix, suffix in [("", ""), ("$", ""), ("CHF", ""), ("", "%"), ("", "kg"), ("", "€")]
]


@given(st.one_of(st.integers(-(10**9), 10**9), st.floats(-1e30, 1e30)), st.sampled_from(NOTATIONS))
def test_a_number_is_written_so_that_it_is_read_back(value, notation):
    assert notation.number(notation.written(value)) == value


def test_words_in_order_stand_for_numbers_but_no_number_is_written_as_one():
    assert Notation(words=("low", "high")).written(1) == "1"
