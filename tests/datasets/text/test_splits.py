"""Splits of texts: fractions of every class, a seeded order, and notes that count what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.datasets.text.splits import class_notes, cut_splits, shuffled

LABELS = np.repeat([0, 1, 2], [100, 40, 20])


def test_splits_divide_all_texts_and_have_the_fractions_of_every_class() -> None:
    parts = cut_splits(LABELS, valid=0.1, test=0.2, seed=0)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(160))
    sizes = {split: np.bincount(LABELS[part]).tolist() for split, part in parts.items()}
    assert sizes == {"train": [70, 28, 14], "valid": [10, 4, 2], "test": [20, 8, 4]}
    assert all((np.diff(part) > 0).all() for part in parts.values())


def test_the_test_part_does_not_depend_on_the_validation_part() -> None:
    small, large = (cut_splits(LABELS, valid=valid, test=0.2, seed=3)["test"] for valid in (0.0, 0.5))
    assert small.tolist() == large.tolist()
    assert small.tolist() != cut_splits(LABELS, valid=0.0, test=0.2, seed=4)["test"].tolist()


def test_a_class_with_a_single_text_is_trained_on_and_noted() -> None:
    labels = np.array([0] * 10 + [1])
    assert 10 in cut_splits(labels, valid=0.3, test=0.3, seed=0)["train"]
    assert class_notes(("many", "one"), labels) == ["classes with a single text, which is in train only: one (1 of 2)"]
    assert class_notes(("many", "some"), np.array([0, 0, 1, 1])) == []
    names = [f"c{number}" for number in range(7)]
    assert class_notes(names, np.arange(7))[0].endswith("c0, c1, c2, c3, c4, ... (7 of 7)")


def test_a_split_is_shuffled_by_the_seed_alone_and_an_empty_one_left_out() -> None:
    parts = {"train": np.arange(50), "valid": np.arange(0), "test": np.arange(50, 60)}
    found = shuffled(parts, 1)
    assert list(found) == ["train", "test"]
    assert sorted(found["train"].tolist()) == list(range(50)) != found["train"].tolist()
    without_test = shuffled({"train": parts["train"]}, 1)
    assert without_test["train"].tolist() == found["train"].tolist() != shuffled(parts, 2)["train"].tolist()


@pytest.mark.parametrize("fraction", [0.0, 0.5])
def test_nothing_is_held_out_of_no_fraction(fraction: float) -> None:
    parts = cut_splits(LABELS, valid=0.0, test=fraction, seed=0)
    assert len(parts["valid"]) == 0 and len(parts["test"]) == fraction * 160
