"""JSON values as parts of a page: bounded, in one line, and nothing in them is lost without a mark."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.report.blocks import MAX_ITEMS, MAX_TEXT, Span, cell_of, grid_of, parts_of, shortened, text_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=30), inner, max_size=30),
    max_leaves=60,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (1234567, "1,234,567"),
        (0.5, "0.5000"),
        (Span(0.25, 0.75), "0.2500 to 0.7500"),
        ("a", "a"),
        ([1, None, "b"], "1, -, b"),
        ({"a": 1, "b": [True]}, "a 1; b yes"),
        ([], ""),
    ],
)
def test_values_are_printed_as_people_read_them(value: object, text: str) -> None:
    assert text_of(value) == text


@given(JSON)
def test_any_value_is_one_bounded_text_and_any_object_is_facts_and_tables(value: Any) -> None:
    assert len(text_of(value)) <= max(MAX_TEXT, 4 * len(str(value)) if isinstance(value, int) else 0)
    facts, grids = parts_of({"top": value})
    for label, text in facts:
        assert label.startswith("top") and text is not None
    for grid in grids:
        assert len(grid.rows) <= MAX_ITEMS
        assert all(len(row) == len(grid.columns) for row in grid.rows)


def test_what_is_cut_ends_in_a_mark() -> None:
    assert shortened("x" * MAX_TEXT) == "x" * MAX_TEXT
    assert shortened("x" * (MAX_TEXT + 1)) == "x" * (MAX_TEXT - 1) + "…"
    assert text_of(list(range(MAX_ITEMS))).count(",") == MAX_ITEMS - 1
    assert text_of(list(range(MAX_ITEMS + 1))).endswith(", …")


@pytest.mark.parametrize(
    ("value", "is_number"),
    [(1, True), (1.5, True), (None, True), (Span(0, 1), True), (True, False), ("1", False), ([1], False)],
)
def test_numbers_are_set_apart_from_texts(value: object, is_number: bool) -> None:
    assert cell_of(value).is_number is is_number


def test_rows_beyond_the_most_are_counted() -> None:
    grid = grid_of("t", ["a"], [[number] for number in range(7)], most=5)
    assert ([row[0].text for row in grid.rows], grid.more) == (["0", "1", "2", "3", "4"], 2)
    assert grid_of("t", ["a"], [[1]], most=5).more == 0


def test_objects_become_facts_by_their_path_and_lists_of_objects_tables() -> None:
    value = {
        "plain": 3,
        "inner_part": {"x": 1, "deeper": {"y": "z"}},
        "empty": {}, "none": None, "blank": "",
        "rows": [{"a": 1}, {"a": 2, "b": 3}],
        "list": [1, 2],
    }  # fmt: skip
    facts, [grid] = parts_of(value)
    assert dict(facts) == {"plain": "3", "inner part: x": "1", "inner part: deeper: y": "z", "list": "1, 2"}
    assert grid.caption == "rows" and grid.columns == ["a", "b"]
    assert [[cell.text for cell in row] for row in grid.rows] == [["1", "-"], ["2", "3"]]


def test_an_object_as_deep_as_json_may_be_ends_in_one_line() -> None:
    value: Any = 1
    for _ in range(60):
        value = {"a": value}
    facts, grids = parts_of(json.loads(json.dumps(value)))
    assert len(facts) == 1 and not grids
    assert facts[0][0].count("a") == 5 and facts[0][1].endswith("1")
