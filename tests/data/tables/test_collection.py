"""Rows that are equal in all columns but the one to predict are near-duplicates; gaps are equal to gaps."""

from __future__ import annotations

import json

import pytest

from dlcli.data.tables.collection import collect_table
from dlcli.data.tables.rows import parse_sheet
from dlcli.data.tables.writer import TableRequest, write_table


@pytest.fixture
def collection(tmp_path):
    lines = ["size,town,y", *(f"{row}.5,{'ab'[row % 2]},{row * 2}" for row in range(20))]
    lines += ["3.5,b,6", "4.5,a,9", "4.5,b,8", ",a,1", ",a,1", "0,a,1"]
    card = write_table(parse_sheet("\n".join(lines), "x", header=True), TableRequest("y"), tmp_path, "x", "x")
    (tmp_path / "dataset.json").write_text(json.dumps(card.to_json()), encoding="utf-8")
    return collect_table(tmp_path)


def test_equal_rows_are_paired_whatever_they_are_to_predict(collection):
    pairs = collection.near_duplicates()
    assert sorted(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == [(3, 20), (4, 21), (23, 24)]
    is_equal = [collection.labels[a] == collection.labels[b] for a, b in ((3, 20), (4, 21), (23, 24))]
    assert is_equal == [True, False, True]


def test_a_row_is_shown_by_its_cells(collection):
    item = collection.item(23)
    assert item.name in ("train row 24", "test row 24")
    assert (item.label, item.fields) == ("1", {"size": None, "town": "a"})
    assert len(collection) == 26
