"""Class names, and answers in their terms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcli.core.errors import DataError, RunError
from dlcli.data.labels import balanced_weights, indices_in_run, label_records, label_text, read_labels


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.0, "1"),
        ("1", "1"),
        (" 1.0 ", "1"),
        ("1.00", "1"),
        (1.5, "1.5"),
        ("01", "01"),
        ("1.", "1."),
        (-0.0, "0"),
        (None, ""),
        (float("nan"), ""),
        (True, "True"),
        ("好.0", "好.0"),
        (2**53 + 1, "9007199254740993"),
        ("-", "-"),
    ],
)
def test_one_number_is_one_class_and_nan_is_none(value, text):
    assert label_text(value) == text


def test_kept_names_come_back_in_their_order():
    assert read_labels(["狗", "cat", ""]) == ("狗", "cat", "")


@pytest.mark.parametrize("value", [None, [], {}, "cat", ["cat", 1], [["cat"]], ("cat",)])
def test_what_is_no_list_of_names_is_refused(value):
    with pytest.raises(RunError, match="labels"):
        read_labels(value)


def test_classes_are_matched_by_name_not_by_place():
    assert indices_in_run(["b", "a"], ["a", "b", "c"], Path("d")).tolist() == [1, 0]
    assert indices_in_run([], ["a"], Path("d")).dtype == np.int64


def test_a_class_that_the_run_does_not_know_is_named():
    known = [f"c{number}" for number in range(12)]
    with pytest.raises(DataError, match="'new' is unknown to the run") as caught:
        indices_in_run(["c1", "new", "newer"], known, Path("d"))
    assert caught.value.details[0].endswith("c9, ...")
    assert len(caught.value.lines()) <= 6


def test_each_class_weighs_the_same_over_the_items_and_one_on_average():
    indices = np.array([0] * 6 + [1] * 3 + [3])
    weights = balanced_weights(indices, 5)
    assert weights.dtype == np.float32
    totals = np.bincount(indices, weights[indices], minlength=5)
    assert totals == pytest.approx([10 / 3, 10 / 3, 0, 10 / 3, 0])
    assert weights[indices].mean() == pytest.approx(1)
    assert balanced_weights(np.array([1, 0]), 2).tolist() == [1, 1]


def test_a_record_has_the_best_classes_with_their_softmax():
    logits = np.log(np.array([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]], np.float32))
    first, second = label_records(["a", "b", "c"], logits, 2)
    assert first == {
        "label": "b",
        "probability": 0.5,
        "top": [{"label": "b", "probability": 0.5}, {"label": "c", "probability": 0.3}],
    }
    assert [row["label"] for row in second["top"]] == ["a", "c"]


def test_equal_and_huge_logits_are_answered_in_the_order_of_the_classes():
    [equal] = label_records(["a", "b"], np.full((1, 2), 1e4, np.float32), 9)
    assert [row["label"] for row in equal["top"]] == ["a", "b"]
    assert equal["probability"] == 0.5
    [sure] = label_records(["a", "b"], np.array([[-1e4, 1e4]], np.float32), 0)
    assert (sure["label"], sure["probability"], len(sure["top"])) == ("b", 1.0, 1)


def test_weights_are_scikit_learns_balanced_ones():
    from sklearn.utils.class_weight import compute_class_weight

    indices = np.random.default_rng(0).choice(4, 200, p=[0.6, 0.25, 0.1, 0.05])
    expected = compute_class_weight("balanced", classes=np.arange(4), y=indices)
    np.testing.assert_allclose(balanced_weights(indices, 4), expected, rtol=1e-6)


@pytest.mark.parametrize("top_k", [0, 1, 3, 5, 9])
def test_probabilities_are_scipys_softmax_in_falling_order(top_k):
    from scipy.special import softmax

    logits = np.random.default_rng(0).normal(0, 3, (6, 5)).astype(np.float32)
    names = ["猫", "b", "c", "d", "e"]
    for record, row in zip(label_records(names, logits, top_k), softmax(logits.astype(float), axis=1), strict=True):
        best = np.argsort(-row)[: min(max(top_k, 1), 5)]
        assert [entry["label"] for entry in record["top"]] == [names[index] for index in best]
        assert [entry["probability"] for entry in record["top"]] == pytest.approx(row[best].tolist(), abs=5e-7)
        assert (record["label"], record["probability"]) == tuple(record["top"][0].values())


def test_adding_a_number_to_all_logits_changes_no_record():
    logits = np.random.default_rng(0).normal(0, 3, (4, 3))
    assert label_records("abc", logits, 3) == label_records("abc", logits + 100, 3)
