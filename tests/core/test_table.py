"""Tables: one list for people and for JSON."""

from __future__ import annotations

from dlcli.core.table import Table, table_of_entries


def test_entries_become_rows_under_their_keys():
    entries = [{"name": "猫", "recall": 0.5, "support": 2}, {"name": "dog", "recall": None, "support": 0}]
    table = table_of_entries("per_class", entries)
    assert list(table.columns) == ["name", "recall", "support"]
    assert list(table.rows) == [["猫", 0.5, 2], ["dog", None, 0]]
    assert table.entries == entries


def test_a_row_follows_the_columns_in_whatever_order_its_entry_is():
    table = table_of_entries("t", [{"a": 1, "b": 2}, {"b": 4, "a": 3}])
    assert list(table.rows) == [[1, 2], [3, 4]]


def test_without_entries_there_are_no_rows_and_no_columns():
    table = table_of_entries("per_class", [])
    assert (table.columns, table.rows) == ([], [])


def test_texts_are_those_that_people_see():
    table = Table("worst", ["a", "b", "c"], [["猫", 0.5, "short…"], ["dog", None, "x"]], [{"text": "a long 狗"}])
    assert list(table.texts()) == ["猫", "short…", "dog", "x"]
