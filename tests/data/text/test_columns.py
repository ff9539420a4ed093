"""The columns of texts and labels are found by name, and a run remembers them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dlcli.data.text.columns import (
    CSV,
    FILE,
    JSONL,
    TSV,
    Reading,
    delimiter_of,
    field_names,
    field_of,
    known_column,
    label_of,
)


@pytest.mark.parametrize(
    "reading",
    [
        Reading(CSV, "评论", ("评论", "标签"), ";", "gb18030"),
        *(Reading(JSONL, "data.text"), Reading(TSV, "2"), Reading(FILE, "", max_chars=200)),
    ],
)
def test_a_reading_survives_json(reading):
    again = Reading.from_json(json.loads(json.dumps(reading.to_json())))
    assert again == replace(reading, delimiter=again.delimiter)
    assert again.delimiter == ("\t" if reading.kind == TSV else reading.delimiter)


@pytest.mark.parametrize(
    "change",
    [
        *({"kind": "xml"}, {"kind": None}, {"text": 3}, {"header": "a,b"}, {"codec": None}, {"text": None}),
        *({"max_chars": 0}, {"max_chars": "9"}, {"max_chars": True}),
    ],
)
def test_a_damaged_reading_is_none(change):
    assert Reading.from_json({**Reading(CSV, "text").to_json(), **change}) is None
    assert Reading.from_json(None) is None


def test_a_reading_without_a_limit_is_stored_as_by_older_versions():
    assert "max_chars" not in Reading(FILE, "").to_json()


@pytest.mark.parametrize(
    ("names", "role", "expected"),
    [
        (["id", "Review", "stars"], "text", "Review"),
        (["data.text", "data.id"], "text", "data.text"),
        (["text", "review"], "text", None),
        (["a", "b"], "text", None),
        (["评论", "标签"], "label", "标签"),
    ],
)
def test_a_column_is_known_by_one_usual_name(names, role, expected):
    assert known_column(names, role) == expected


def test_fields_of_objects_in_objects_are_named_with_dots():
    record = {"a": {"b": {"c": 1}, "d": 2}, "e.f": 3, "g": [4]}
    assert field_names(record) == ["a.b.c", "a.d", "e.f", "g"]
    assert [field_of(record, name) for name in field_names(record)] == [1, 2, 3, [4]]
    assert field_of(record, "a.x") is field_of(record, "g.x") is field_of(record, "z") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, "1"),
        (1.0, "1"),
        ("1.0", "1"),
        (0.5, "0.5"),
        (True, "true"),
        ("None", "None"),
        ("+", "+"),
        (float("nan"), None),
        (None, None),
        ([1], None),
        ({}, None),
    ],
)
def test_equal_numbers_are_one_label_and_missing_ones_are_none(value, expected):
    assert label_of(value) == expected


@pytest.mark.parametrize(("line", "expected"), [("a,b;c", ","), ("a;b", ";"), ("a\tb", "\t"), ("a|b", "|"), ("a", ",")])
def test_the_delimiter_of_a_csv_is_in_its_first_line(line, expected):
    assert delimiter_of(line, CSV) == expected
    assert delimiter_of(line, TSV) == "\t"
