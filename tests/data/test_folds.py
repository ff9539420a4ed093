"""Folds: every item is tested once, none is trained and tested on, classes and groups are respected."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from dlcli.core.errors import DataError, UsageError
from dlcli.core.train_config import TrainConfig, is_cross_validation
from dlcli.data.folds import assign_folds, num_folds, part_of_fold, read_splits
from dlcli.data.images.packed import Stacked

LABELS = np.array([0] * 50 + [1] * 31 + [2] * 7)
TRAIN = TrainConfig(folds="5", fold=1, val_fraction=0.2)


def parts(fold, **more):
    train = dataclasses.replace(TRAIN, fold=fold, **more.pop("train", {}))
    return [
        part_of_fold(split, len(LABELS), train, **{"labels": LABELS, **more}) for split in ("train", "valid", "test")
    ]


def test_every_item_is_tested_once_and_is_in_one_part_of_each_fold():
    tested = np.concatenate([parts(fold)[2] for fold in range(1, 6)])
    assert sorted(tested) == list(range(len(LABELS)))
    for fold in range(1, 6):
        assert sorted(np.concatenate(parts(fold))) == list(range(len(LABELS)))


def test_classes_differ_by_at_most_one_between_folds():
    fold_of = assign_folds(len(LABELS), TRAIN, labels=LABELS, groups=None)
    for label in range(3):
        counts = np.bincount(fold_of[label == LABELS], minlength=5)
        assert counts.max() - counts.min() <= 1
    sizes = np.bincount(fold_of)
    assert sizes.max() - sizes.min() <= 1


def test_another_seed_cuts_other_folds_and_the_same_seed_the_same():
    first, again, other = (parts(1, train={"seed": seed})[2] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_group_is_never_in_two_parts():
    groups = np.arange(len(LABELS)) % 11
    for fold in range(1, 6):
        seen = [set(groups[rows].tolist()) for rows in parts(fold, groups=groups)]
        assert all(seen)
        assert sum(map(len, seen)) == 11
    sizes = np.bincount(assign_folds(len(LABELS), TRAIN, labels=None, groups=groups))
    assert sizes.max() - sizes.min() <= 8  # a group's size


def test_leave_one_out_tests_each_item_alone():
    train = dataclasses.replace(TRAIN, folds="loo", fold=88)
    assert num_folds(train, 88) == 88
    assert part_of_fold("test", 88, train, labels=LABELS).tolist() == [87]


@pytest.mark.parametrize(("change", "items"), [({"folds": "90"}, 88), ({"folds": "loo"}, 2001)])
def test_too_few_or_too_many_items_are_refused(change, items):
    with pytest.raises(DataError, match="--folds"):
        assign_folds(items, dataclasses.replace(TRAIN, **change), labels=None, groups=None)


def test_a_fold_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="--fold 6: there are 5"):
        parts(6)
    with pytest.raises(UsageError, match="--group"):
        parts(1, train={"group": "town"})


def test_index_files_are_read_as_the_uci_splits_are_written(tmp_path):
    np.savetxt(tmp_path / "index_test_0.txt", [3.0, 1.0])
    np.savetxt(tmp_path / "index_train_0.txt", [0.0, 2.0])
    np.savetxt(tmp_path / "index_test_10.txt", [0.0])
    np.savetxt(tmp_path / "index_test_2.txt", [2.0])
    found = [(train.tolist(), test.tolist()) for train, test in read_splits(tmp_path, 4)]
    assert found == [([0, 2], [1, 3]), ([0, 1, 3], [2]), ([1, 2, 3], [0])]
    train = TrainConfig(splits=str(tmp_path), fold=2, val_fraction=0.0)
    assert part_of_fold("train", 4, train, labels=None).tolist() == [0, 1, 3]


def test_json_names_the_same_splits(tmp_path):
    path = tmp_path / "splits.json"
    path.write_text(json.dumps([{"train": [0], "test": [1, 2]}, {"test": [3]}]))
    assert [(a.tolist(), b.tolist()) for a, b in read_splits(path, 4)] == [([0], [1, 2]), ([0, 1, 2], [3])]


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        '[{"test": [9]}]',
        '[{"test": [-1]}]',
        '[{"test": []}]',
        '[{"test": [1, 1]}]',
        '[{"test": [0.5]}]',
        "{",
        '[{"train": [1], "test": [1]}]',
        '[{"test": [1e400]}]',
    ],
)
def test_damaged_splits_are_refused(tmp_path, text):
    path = tmp_path / "splits.json"
    path.write_text(text)
    with pytest.raises(DataError, match="--splits"):
        read_splits(path, 4)


@pytest.mark.parametrize(
    "options",
    [
        {"fold": 1},
        {"group": "a"},
        {"repeats": 2},
        {"folds": "3", "splits": "x"},
        {"folds": "loo", "repeats": 2},
        {"splits": "x", "repeats": 2},
        {"splits": "x", "group": "a"},
    ],
)
def test_options_that_contradict_each_other_are_refused(options):
    with pytest.raises(UsageError):
        is_cross_validation(TrainConfig(**options))


def test_only_all_folds_are_a_cross_validation():
    assert is_cross_validation(TrainConfig(folds="3"))
    assert not is_cross_validation(TrainConfig(folds="3", fold=2))
    assert not is_cross_validation(TrainConfig())


def test_stacked_parts_answer_as_one_array():
    random = np.random.default_rng(0)
    whole = random.integers(0, 255, (20, 3, 2), dtype=np.uint8)
    stacked = Stacked([whole[:7], whole[7:8], whole[8:]])
    rows = random.permutation(20)[:9]
    assert stacked.shape == whole.shape
    assert np.array_equal(stacked[rows], whole[rows])
