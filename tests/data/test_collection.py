"""Items of any kind are numbered in the order of their splits, and equal ones are paired with the first."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlcli.core.errors import UsageError
from dlcli.data.collection import label_numbers, numbered, open_collection, pairs_of_equals


def test_a_value_that_occurs_several_times_is_paired_with_its_first_place():
    first, second = pairs_of_equals(np.array([7, 3, 7, 5, 3, 7]))
    assert sorted(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 2), (0, 5), (1, 4)]
    assert [len(part) for part in pairs_of_equals(np.arange(4))] == [0, 0]
    assert [len(part) for part in pairs_of_equals(np.zeros(0, np.int64))] == [0, 0]


def test_equal_labels_have_equal_numbers():
    assert label_numbers(["cat", "dog", "cat", ""]).tolist() == [0, 1, 0, 2]


def test_splits_follow_one_another():
    assert numbered(["train", "valid", "test"], [3, 0, 2]).tolist() == [0, 0, 0, 2, 2]


def test_what_has_no_items_to_compare_is_refused(tmp_path):
    card = {"form": "parallel", "name": "pairs", "classes": [], "counts": {}, "items": {"train": 1}}
    (tmp_path / "dataset.json").write_text(json.dumps(card))
    with pytest.raises(UsageError, match="cannot be compared: sentence pairs"):
        open_collection(tmp_path)
