"""Records as lines, as CSV and as a table: every record and error is there, and no cell can be taken for another."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from dlcli.cli.predict import MAX_SHOWN, PredictOptions, Writer
from dlcli.core.console import Console

Written = Callable[..., str]

RECORDS: list[dict[str, Any]] = [
    {"input": 'a "quoted",\nname.png', "top": [{"label": "cat", "score": 0.75}, {"label": "dog", "score": 0.25}]},
    {"input": "b.png", "error": "cut off, 3 bytes"},
    {"input": "c.png", "top": [], "label": None},
]


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Written:
    """A function that returns what a writer prints for records."""

    def write(*records: Mapping[str, Any], fields: tuple[str, ...] = ("label", "score"), **options: Any) -> str:
        console = Console(is_json=options.pop("json", False))
        opened: Any = SimpleNamespace(name="net", codec=SimpleNamespace(fields=fields, listed="top"))
        writer = Writer(console, PredictOptions(**options), opened)
        for record in records:
            writer.write(dict(record))
        writer.close()
        return capsys.readouterr().out

    return write


def test_a_csv_has_one_header_a_line_for_each_entry_and_every_error(written: Written) -> None:
    rows = list(csv.DictReader(io.StringIO(written(*RECORDS, csv=True))))
    assert [(row["input"], row["label"], row["score"], row["error"]) for row in rows] == [
        (RECORDS[0]["input"], "cat", "0.75", ""),
        (RECORDS[0]["input"], "dog", "0.25", ""),
        ("b.png", "", "", "cut off, 3 bytes"),
        ("c.png", "", "", ""),
    ]


def test_a_carriage_return_in_a_text_begins_no_row(written: Written) -> None:
    record = {"input": "so\rfine", "label": "good\r", "score": 1}
    [row] = csv.DictReader(io.StringIO(written(record, csv=True), newline=""))
    assert (row["input"], row["label"], row["score"]) == ("so\rfine", "good\r", "1")


def test_a_list_or_a_mapping_is_json_in_its_cell(written: Written) -> None:
    record = {"input": "a", "box": [1, 2.5], "more": {"名": "猫"}}
    [row] = csv.DictReader(io.StringIO(written(record, fields=("box", "more"), csv=True)))
    assert json.loads(row["box"]) == [1, 2.5]
    assert row["more"] == '{"名": "猫"}'


def test_lines_of_json_are_the_records_and_never_nan(written: Written) -> None:
    lines = written(*RECORDS, {"input": "d", "score": math.nan, "box": [math.inf, 1.0]}, jsonl=True).splitlines()
    assert [json.loads(line) for line in lines] == [*RECORDS, {"input": "d", "score": None, "box": [None, 1.0]}]
    assert "NaN" not in lines[-1]


def test_a_document_names_its_model_even_without_records(written: Written) -> None:
    assert json.loads(written(json=True)) == {"schema": "dl.predict/1", "model": "net", "records": []}
    assert json.loads(written(*RECORDS, json=True))["records"] == RECORDS


def test_a_table_repeats_no_input_and_shows_the_start_of_a_long_one(written: Written) -> None:
    long = {"input": "x" * 500, "top": [{"label": "cat", "score": 0.5}, {"label": "dog", "score": 0.5}]}
    lines = written(long, RECORDS[1]).splitlines()
    assert len(lines) == 4
    assert lines[1].count("x") <= MAX_SHOWN
    assert lines[2].split() == ["dog", lines[2].split()[-1]]
    assert "error: cut off, 3 bytes" in lines[3]
    assert written() == ""


def test_the_first_error_is_kept_for_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    opened: Any = SimpleNamespace(name="net", codec=SimpleNamespace(fields=("label",), listed=None))
    writer = Writer(Console(), PredictOptions(jsonl=True), opened)
    for record in ({"input": "a", "label": "x"}, {"input": "b", "error": "one"}, {"input": "c", "error": "two"}):
        writer.write(record)
    assert writer.first_error == ["b: one"]
    assert len(capsys.readouterr().out.splitlines()) == 3
