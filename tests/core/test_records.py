"""The records of `metrics.jsonl`, read back whole or refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from dlcli.core.errors import RunError
from dlcli.core.records import is_number, parse_record, read_metrics


def epoch(number: int) -> dict[str, float]:
    return {"epoch": number, "step": number * 10, "loss": 1 / number}


def test_truncated_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps(epoch(1)), json.dumps(epoch(2))]
    path.write_text("\n".join(lines) + "\n")
    assert read_metrics(path) == [epoch(1), epoch(2)]
    whole = path.read_bytes()
    for length in range(len(lines[0]) + 1, len(whole) - 2):
        path.write_bytes(whole[:length])
        assert read_metrics(path) == [epoch(1)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"", "contains no epoch"),
        (b'{"epo', "contains no epoch"),
        (b'[1]\n{"epoch": 1}\n', "line 1"),
        (b'{"epoch": "one"}\n{"epoch": 1}\n', "line 1"),
        (b'{"epoch": 1}\n\xff\xfe\n{"epoch": 2}\n', "line 2"),
    ],
)
def test_damaged_metrics_are_a_run_error(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "metrics.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError, match=message):
        read_metrics(path)


@pytest.mark.parametrize(
    "line", ["", "1", "[]", "{}", '{"epoch": true}', '{"epoch": 1.0}', '{"epoch": null}', '{"epoch": 1']
)
def test_what_names_no_epoch_is_no_record(line: str) -> None:
    assert parse_record(line) is None


def test_a_record_comes_back_as_it_was_written() -> None:
    assert parse_record(json.dumps(epoch(3))) == epoch(3)
    assert parse_record('{"epoch": 0}') == {"epoch": 0}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((value, True) for value in (0, -3, 2.5, 10**300, -(10**300), 1 << 1023, math.nan, math.inf)),
        *((value, False) for value in (True, False, None, "3", [1], {}, 10**400, -(10**400), 1 << 1024)),
    ],
)
def test_a_number_is_what_a_float_holds(value: object, expected: bool) -> None:
    assert is_number(value) is expected
    if is_number(value):
        float(value)


def test_an_epoch_that_no_float_holds_is_no_record_and_neither_is_what_is_nested_too_deeply() -> None:
    assert parse_record(json.dumps({"epoch": 10**400})) is None
    assert parse_record("[" * 100_000) is None
