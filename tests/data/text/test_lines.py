"""Lines of prepared texts: offsets lead back to their lines, and what is damaged is named with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli.core.errors import DataError, RunError
from dlcli.data.text.lines import (
    are_offsets,
    are_spans,
    jsonl_file,
    numbered_lines,
    open_splits,
    packed_of,
    read_asset,
    strings_at,
    strings_of_line,
)

NAMES = ("source", "target")


def parse(line: bytes, where: str) -> tuple[str, str]:
    return strings_of_line(line, NAMES, where, may_be_blank=False)


def write_rows(path: Path, *rows: tuple[str, str]) -> list[tuple[int, int]]:
    """Write rows with a blank line after each; return (number, offset) of their lines."""
    lines = [json.dumps(dict(zip(NAMES, row, strict=True)), ensure_ascii=False).encode() + b"\n \n" for row in rows]
    path.write_bytes(b"".join(lines))
    ends = np.cumsum([0, *map(len, lines)]).tolist()
    return [(2 * index + 1, ends[index]) for index in range(len(rows))]


def test_lines_are_counted_with_the_blank_ones_that_are_left_out(tmp_path: Path) -> None:
    places = write_rows(tmp_path / "a.jsonl", ("猫", "cat"), ("狗", "dog"), ("x", "y"))
    assert [(number, start) for number, start, _ in numbered_lines(tmp_path / "a.jsonl")] == places


def test_rows_at_offsets_come_in_the_wanted_order(tmp_path: Path) -> None:
    rows = [("猫", "cat"), ("狗", "dog"), ("x", "y")]
    starts = np.array([start for _, start in write_rows(tmp_path / "a.jsonl", *rows)])
    order = [2, 0, 1, 0]
    assert strings_at(tmp_path / "a.jsonl", starts[order], parse) == [rows[index] for index in order]


def test_an_offset_inside_a_line_is_an_error_with_its_byte(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.jsonl", ("a", "b"))
    with pytest.raises(DataError, match=r"a\.jsonl: byte 3: not a line of"):
        strings_at(tmp_path / "a.jsonl", np.array([3]), parse)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl: No such file"):
        list(numbered_lines(tmp_path / "a.jsonl"))
    with pytest.raises(DataError, match=r"a\.jsonl: No such file"):
        strings_at(tmp_path / "a.jsonl", np.array([0]), parse)


@pytest.mark.parametrize(
    "line",
    [b"{}", b"[1]", b"nonsense", b'{"source": 1, "target": "b"}', b'{"source": "a", "target": null}', b"[" * 9999],
)
def test_what_is_no_row_is_named_with_the_expected_fields(line: bytes) -> None:
    with pytest.raises(DataError) as caught:
        strings_of_line(line, NAMES, "a.jsonl: line 7", may_be_blank=True)
    assert caught.value.message == 'a.jsonl: line 7: not a line of {"source": "...", "target": "..."}'


def test_blank_strings_are_refused_only_where_they_must_not_be_blank() -> None:
    line = b'{"source": " ", "target": "b"}'
    assert strings_of_line(line, NAMES, "here", may_be_blank=True) == (" ", "b")
    with pytest.raises(DataError):
        strings_of_line(line, NAMES, "here", may_be_blank=False)


def test_splits_are_opened_in_their_order_and_only_the_named_ones(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        write_rows(jsonl_file(tmp_path, split), ("a", "b"))
    found = open_splits(tmp_path, {"test": 1, "train": 1}, lambda split: [split], noun="pairs", again="again")
    assert list(found.items()) == [("train", ["train"]), ("test", ["test"])]


@pytest.mark.parametrize(
    ("files", "named", "length", "expected"),
    [
        (["train"], ["train", "test"], 1, "the card names the split 'test', but its file is missing"),
        (["train"], ["train"], 0, "train.jsonl: holds no pairs"),
        (["test"], ["test"], 1, "has no training split"),
    ],
)
def test_splits_that_do_not_match_the_card_are_refused_with_the_way_out(
    files: list[str], named: list[str], length: int, expected: str, tmp_path: Path
) -> None:
    for split in files:
        write_rows(jsonl_file(tmp_path, split), ("a", "b"))
    with pytest.raises(DataError) as caught:
        open_splits(tmp_path, named, lambda _: [0] * length, noun="pairs", again="prepare it again")
    assert expected in caught.value.message
    assert caught.value.hint == "prepare it again"


def test_an_unknown_split_is_answered_with_those_that_exist() -> None:
    packed = {"train": 1, "test": 2}
    assert packed_of(packed, "test", Path("data")) == 2
    with pytest.raises(DataError, match="data: has no split 'valid'") as caught:
        packed_of(packed, "valid", Path("data"))
    assert caught.value.hint == "it has: train, test"


def refuse(value: Any) -> int:
    raise RunError(f"damaged: {value}")


@pytest.mark.parametrize(
    ("content", "max_bytes", "expected"),
    [
        (None, 100, "No such file"),
        (b"[1, 2]", 5, "too large for a vocabulary"),
        (b"[1,", 100, "not JSON"),
        (b"\xff", 100, "not JSON"),
        (b"[" * 99_999, 2**20, "not JSON"),
        (b"[7]", 100, r"damaged: \[7\]"),
    ],
)
def test_an_asset_that_cannot_be_used_is_an_error_of_the_data(
    content: bytes | None, max_bytes: int, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "vocab.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=rf"vocab\.json: {expected}") as caught:
        read_asset(path, refuse, max_bytes=max_bytes, noun="vocabulary", again="prepare it again")
    assert caught.value.hint == "prepare it again"


def test_an_asset_is_what_is_parsed(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("[1, 2]")
    assert read_asset(tmp_path / "vocab.json", sum, max_bytes=6, noun="vocabulary", again="") == 3


@pytest.mark.parametrize(
    ("values", "maximum", "expected"),
    [
        (np.array([0, 3, 5]), 5, True),
        (np.array([0, 3, 6]), 5, False),
        (np.array([-1, 3]), 5, False),
        (np.array([0, 3, 3]), 5, False),
        (np.array([0, 3], np.int32), 5, False),
        (np.array([[0, 3]]), 5, False),
        (np.array([], np.int64), 5, False),
        (np.array([2**63 - 1, -(2**63)]), 5, False),
    ],
)
def test_offsets_increase_strictly_within_bounds(values: np.ndarray, maximum: int, expected: bool) -> None:
    assert are_offsets(values, maximum) is expected


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        ([0, 2, 5], True),
        ([1, 2, 5], False),
        ([0, 2, 4], False),
        ([0, 5], False),
        ([0, 0, 5], False),
        ([0, 1, 2, 5], False),
    ],
)
def test_spans_divide_all_ids_among_the_items(offsets: list[int], expected: bool) -> None:
    assert are_spans(np.array(offsets), 2, 5) is expected
