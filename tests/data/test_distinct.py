"""Copies of an item are in one part, whatever draws the parts, and nothing changes where there are none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from dlcli.core.train_config import TrainConfig
from dlcli.data.distinct import part_of_distinct
from dlcli.data.parts import ALL, part

LABELS = {"train": np.repeat([0, 1, 2], [30, 20, 9]), "test": np.repeat([0, 1, 2], [5, 5, 2])}
COPIES = {"train": np.arange(59)}
for start, end in ((0, 30), (30, 50), (50, 59)):
    COPIES["train"][start + 2 : end : 3] = start  # every third item of a class is a copy of its first
COPIES[ALL] = np.concatenate([COPIES["train"], 59 + np.arange(12)])
COPIES[ALL][60] = 0  # of the test split, a copy of an image of train

WAYS = {
    "a fraction": TrainConfig(val_fraction=0.2),
    "--val-fold": TrainConfig(val_fold="2/4"),
    "--folds": TrainConfig(folds="4", fold=2, val_fraction=0.2),
    "hold-out": TrainConfig(folds="0.3", fold=1, val_fraction=0.2),
}


def labels_of(name):
    return np.concatenate(list(LABELS.values())) if name == ALL else LABELS[name]


def cut(split, train, copies_of=COPIES.__getitem__):
    return part_of_distinct(split, tuple(LABELS), train, labels_of, copies_of, root=Path("pets"))


@pytest.mark.parametrize("way", WAYS)
def test_copies_are_never_separated_and_each_item_is_in_one_part(way):
    train = WAYS[way]
    names = ("train", "valid", "test") if train.fold is not None else ("train", "valid")
    for seed in range(5):
        parts = [cut(name, dataclasses.replace(train, seed=seed)) for name in names]
        [folder] = {folder for folder, _ in parts}
        items = np.concatenate([rows for _, rows in parts])
        assert sorted(items.tolist()) == list(range(len(labels_of(folder))))
        where = np.empty(len(items), int)
        for number, (_, rows) in enumerate(parts):
            assert len(rows)
            where[rows] = number
        np.testing.assert_array_equal(where, where[COPIES[folder]])


def test_classes_keep_their_shares_of_distinct_items():
    _, valid = cut("valid", WAYS["a fraction"])
    distinct = np.unique(COPIES["train"][valid])
    assert np.bincount(LABELS["train"][distinct]).tolist() == [4, 3, 1]  # of 20, 14 and 6


@pytest.mark.parametrize("way", WAYS)
def test_without_copies_the_parts_are_the_usual_ones(way):
    def alone(name):
        return np.arange(len(labels_of(name)))

    for split in ("train", "valid", "test"):
        expected = part(split, tuple(LABELS), WAYS[way], labels_of, root=Path("pets"))
        folder, rows = cut(split, WAYS[way], alone)
        assert folder == expected[0] and rows.tolist() == expected[1].tolist()


def test_copies_are_not_looked_for_where_nothing_is_drawn():
    def refuse(name):
        raise AssertionError(name)

    assert len(cut("test", WAYS["a fraction"], refuse)[1]) == 12
    assert len(cut("train", TrainConfig(val_fraction=0), refuse)[1]) == 59
    assert len(cut("test", TrainConfig(folds="loo", fold=71), refuse)[1]) == 1
