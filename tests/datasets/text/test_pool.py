"""A pool keeps one row of each text, and none of a text that has several labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.datasets.text.pool import TextPool, class_order, is_sorted_by_label, without_copies

TEXTS = ["好", "不好", "caf\u00e9", "a", "A", "a\nb", "😀"]


def fill(path, rows):
    pool = TextPool(path)
    with path.open("wb") as stream:
        for text, label in rows:
            stream.write(pool.add(text, label))
    return pool


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from("xyz")), min_size=1, max_size=25))
def test_what_is_kept_is_what_a_dictionary_would_keep(tmp_path_factory, rows):
    pool = fill(tmp_path_factory.mktemp("pool") / "texts", rows)
    labels_of, first = {}, {}
    for row, (text, label) in enumerate(rows):
        labels_of.setdefault(text, set()).add(label)
        first.setdefault(text, row)
    kept = without_copies(pool)
    assert kept.rows.tolist() == sorted(first[text] for text, labels in labels_of.items() if len(labels) == 1)
    assert kept.num_two_labels == sum(len(labels) > 1 for labels in labels_of.values())
    assert len(kept.rows) + kept.num_duplicates + kept.num_two_label_rows == len(rows)
    assert list(pool.texts(kept.rows)) == [rows[row][0] for row in kept.rows]
    assert list(pool.texts(np.arange(len(rows))[::-1])) == [text for text, _ in reversed(rows)]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0] * 10 + [1] * 10, True),
        ([1] * 10 + [0] * 10, True),
        ([0] * 10 + [1] * 9, False),  # few rows may stand so by chance
        ([0] * 20, False),
        ([0] * 10 + [1] * 10 + [0], False),
    ],
)
def test_rows_class_by_class_are_sorted(labels, expected):
    assert is_sorted_by_label(np.array(labels)) is expected


def test_labels_are_sorted_by_value_where_all_are_whole_numbers():
    assert class_order(["10", "9", "-1", "02", "2"]) == ["-1", "02", "2", "9", "10"]
    assert class_order(["10", "9", "b"]) == ["10", "9", "b"]
    assert class_order(["²", "1"]) == ["1", "²"]
    assert class_order(["1", "--2"]) == ["--2", "1"]
