"""Tables of near-duplicates: what matters most comes first, and the counts are those of a worked example."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.collection import Collection, Pairs
from dlcli.data.duplicates import MAX_ROWS, pair_table, shown_name, split_table
from dlcli.data.items import Item

SPLITS = np.array([0, 0, 0, 0, 1, 1])
LABELS = np.array([0, 0, 1, 1, 0, 1])
PAIRS = Pairs(np.array([0, 2, 0, 1]), np.array([1, 3, 4, 5]), np.array([1.0, 0.9, 0.8, 0.76]), 0.75)


def collection(*, splits=SPLITS, labels=LABELS):
    names = ["cat", "dog"]
    return Collection(("train", "test"), splits, labels, lambda n: Item(f"{n}.png", names[labels[n]]), lambda: PAIRS)


def test_different_labels_come_first_then_pairs_across_splits_then_the_most_similar():
    table = pair_table(collection(), PAIRS)
    assert [entry["similarity"] for entry in table.entries] == [0.76, 0.8, 1.0, 0.9]
    assert table.entries[0]["first"] == {"name": "1.png", "split": "train", "label": "cat"}
    assert table.entries[0]["second"] == {"name": "5.png", "split": "test", "label": "dog"}
    assert table.rows[0] == [0.76, "1.png", "cat", "5.png", "dog"]


def test_pairs_are_counted_by_their_splits_and_items_by_the_later_one():
    within, across, other = split_table(collection(), PAIRS).entries
    assert (within["splits"], within["pairs"], within["different_labels"]) == (["train", "train"], 2, 0)
    assert (within["items"], within["share"]) == (4, 1.0)
    assert (across["splits"], across["pairs"], across["different_labels"]) == (["train", "test"], 2, 1)
    assert (across["split"], across["items"], across["share"]) == ("test", 2, 1.0)
    assert (other["pairs"], other["items"]) == (0, 0)


def test_a_split_without_items_is_in_no_row():
    rows = split_table(collection(splits=np.zeros(6, int)), PAIRS).rows
    assert [row[0] for row in rows] == ["within train"]


def test_a_table_is_short_and_its_entries_are_whole():
    many = Pairs(np.zeros(50, int), np.arange(1, 51), np.linspace(1, 0.8, 50))
    table = pair_table(collection(splits=np.zeros(51, int), labels=np.zeros(51, int)), many)
    assert (len(table.rows), len(table.entries)) == (MAX_ROWS, 50)


@pytest.mark.parametrize(("fields", "shown"), [({}, "row 3"), ({"text": "好 " * 90}, "row 3: 好")])
def test_a_text_is_shown_after_its_name(fields, shown):
    name = shown_name(Item("row 3", "x", fields=fields))
    assert name.startswith(shown)
    assert len(name) <= 60
