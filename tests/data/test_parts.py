"""Parts: every item is in one of them, each class has its share, groups stay whole, folds test every item once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from dlcli.core.errors import DataError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.data.parts import (
    ALL,
    assign_folds,
    at_hand,
    held_out_part,
    num_folds,
    part,
    part_of_fold,
    stratified_part,
)

LABELS = np.array([0] * 50 + [1] * 31 + [2] * 7)
TRAIN = TrainConfig(folds="5", fold=1, val_fraction=0.2)


@given(st.lists(st.integers(0, 4), max_size=80), st.floats(0.01, 0.9), st.integers(0, 99))
def test_every_class_keeps_its_share_and_its_last_item(labels, fraction, seed):
    labels = np.array(labels, np.int64)
    is_part = stratified_part(labels, fraction, seed)
    np.testing.assert_array_equal(is_part, stratified_part(labels, fraction, seed))
    for label in np.unique(labels):
        size, count = np.sum(labels == label), np.sum(is_part & (labels == label))
        assert count < size
        assert count == 0 if size == 1 else 1 <= count <= max(1, fraction * size + 0.5)


def test_another_seed_gives_another_part():
    labels = np.repeat(np.arange(3), 50)
    assert not np.array_equal(stratified_part(labels, 0.2, 0), stratified_part(labels, 0.2, 1))


SPLIT_LABELS = {"train": LABELS[:60], "test": LABELS[60:]}


def labels_of(folder, splits=SPLIT_LABELS):
    return np.concatenate(list(splits.values())) if folder == ALL else splits[folder]


def cut(split, splits=SPLIT_LABELS, *, train=None, **more):
    train = train or TrainConfig(val_fraction=0.2)
    return part(split, tuple(splits), train, lambda folder: labels_of(folder, splits), root=Path("pets"), **more)


def test_the_validation_part_is_cut_out_of_the_training_split():
    (folder, train), (other, valid), (third, test) = (cut(split) for split in ("train", "valid", "test"))
    assert (folder, other, third) == ("train", "train", "test")
    assert sorted([*train, *valid]) == list(range(60))
    assert np.array_equal(np.flatnonzero(stratified_part(LABELS[:60], 0.2, 0)), valid)
    assert test.tolist() == list(range(28))


def test_a_validation_split_of_the_datas_own_is_used_whole():
    splits = {"train": LABELS[:60], "valid": LABELS[60:70], "test": LABELS[70:]}
    for name, labels in splits.items():
        folder, indices = cut(name, splits)
        assert folder == name
        assert indices.tolist() == list(range(len(labels)))


@pytest.mark.parametrize("split", ["train", "valid", "extra"])
def test_a_split_that_is_not_there_is_refused(split):
    with pytest.raises(DataError, match=f"pets: no split '{split}'") as caught:
        cut(split, {"test": LABELS})
    assert caught.value.hint == "it has: test"


def test_a_fold_is_cut_from_all_splits():
    for split, rows in zip(("train", "valid", "test"), parts(2), strict=True):
        folder, indices = cut(split, train=dataclasses.replace(TRAIN, fold=2))
        assert folder == ALL
        assert np.array_equal(indices, rows)


def test_groups_are_those_of_the_name_that_the_options_give():
    groups = {"town": np.arange(len(LABELS)) % 11}
    train = dataclasses.replace(TRAIN, fold=1, group="town")
    seen = [set(groups["town"][cut(s, train=train, groups_of=groups.__getitem__)[1]]) for s in ("train", "test")]
    assert not seen[0] & seen[1]
    with pytest.raises(UsageError, match="--group"):
        cut("train", train=train)


def test_a_run_without_data_says_how_to_name_it():
    assert at_hand("source") == "source"
    with pytest.raises(DataError, match="no data is at hand") as caught:
        at_hand(None)
    assert "--data" in caught.value.hint


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


@given(st.lists(st.integers(0, 4), min_size=2, max_size=80), st.floats(0.01, 0.99), st.integers(0, 99))
def test_a_round_of_hold_out_tests_its_fraction_of_every_class(labels, fraction, seed):
    labels = np.array(labels, np.int64)
    is_part = held_out_part(len(labels), fraction, seed, labels=labels, groups=None)
    np.testing.assert_array_equal(is_part, held_out_part(len(labels), fraction, seed, labels=labels, groups=None))
    assert is_part.sum() == min(max(round(fraction * len(labels)), 1), len(labels) - 1)
    for label in np.unique(labels):
        wanted = is_part.mean() * np.sum(labels == label)
        assert np.floor(wanted - 1e-9) <= np.sum(is_part & (labels == label)) <= np.ceil(wanted + 1e-9)


def test_every_item_is_held_out_equally_often():
    rounds = [held_out_part(88, 0.3, seed, labels=LABELS, groups=None) for seed in range(2000)]
    np.testing.assert_allclose(np.mean(rounds, axis=0), 26 / 88, atol=5 * np.sqrt(0.21 / 2000))


def test_rounds_of_hold_out_are_cut_by_seed_and_have_one_fold():
    rounds = [parts(1, train={"folds": "0.3", "seed": seed}) for seed in (0, 1)]
    assert num_folds(TrainConfig(folds="0.3", repeats=10), 88) == 1
    assert [len(test) for _, _, test in rounds] == [26, 26]
    assert not np.array_equal(rounds[0][2], rounds[1][2])
    for each in rounds:
        assert sorted(np.concatenate(each)) == list(range(88))
    with pytest.raises(UsageError, match="--fold 2: there are 1"):
        parts(2, train={"folds": "0.3"})


def test_a_group_is_held_out_whole():
    groups = np.arange(len(LABELS)) % 11
    seen = [set(groups[rows].tolist()) for rows in parts(1, groups=groups, train={"folds": "0.3"})]
    assert all(seen)
    assert sum(map(len, seen)) == 11
    assert len(seen[2]) == 4  # groups of 8: three are 24 of 88, less than 0.3


@pytest.mark.parametrize(("items", "groups"), [(1, None), (5, np.zeros(5, np.int64))])
def test_nothing_is_held_out_of_a_single_item_or_group(items, groups):
    with pytest.raises(DataError, match=r"--folds 0\.3: there is a single"):
        held_out_part(items, 0.3, 0, labels=None, groups=groups)


@pytest.mark.parametrize(("count", "folds"), [(23, 5), (10, 4), (6, 5)])
def test_folds_in_time_are_those_of_scikit_learn(count, folds):
    times = np.random.default_rng(0).permutation(count)
    rows = np.argsort(times)
    for fold, (rest, test) in enumerate(TimeSeriesSplit(folds).split(rows), 1):
        train, valid, tested = in_time(times, f"time:{folds}", fold)
        assert tested.tolist() == rows[test].tolist()
        assert [*train, *valid] == rows[rest].tolist()  # the validation part is the latest of training


def in_time(times, folds, fold):
    train = dataclasses.replace(TRAIN, folds=folds, fold=fold)
    return [
        part_of_fold(split, len(times), train, labels=np.zeros(len(times), np.int64), times=times)
        for split in ("train", "valid", "test")
    ]


def test_items_of_one_time_are_in_one_part():
    years = np.repeat([2001, 2002, 2003, 2004], [5, 2, 6, 7])
    for fold, (last, tested) in enumerate([((2001, 2002), {2003}), ((2001, 2002, 2003), {2004})], 1):
        train, valid, test = in_time(years, "time:2", fold)
        assert (set(years[np.concatenate([train, valid])].tolist()), set(years[test].tolist())) == ({*last}, tested)
    with pytest.raises(DataError, match="too many folds"):
        in_time(years, "time:5", 1)


def test_only_what_has_an_order_in_time_has_folds_in_time():
    train = dataclasses.replace(TRAIN, folds="time:3", fold=1)
    with pytest.raises(UsageError, match="only the rows of a table"):
        cut("test", train=train)
    times = {"day": np.arange(88)[::-1]}
    folder, rows = cut("test", train=dataclasses.replace(train, folds="time:3,day"), times_of=times.__getitem__)
    assert (folder, rows.tolist()) == (ALL, list(range(65, 43, -1)))


NAMES = ("train", "valid", "test")


def test_the_validation_folds_of_the_training_split_are_disjoint_whole_and_leave_the_test_split_alone():
    fold_rows = []
    for fold in range(1, 5):
        options = TrainConfig(val_fold=f"{fold}/4")
        (folder, train), (other, valid), (third, test) = (
            cut(name, train=options) for name in ("train", "valid", "test")
        )
        assert (folder, other, third) == ("train", "train", "test")
        assert sorted([*train, *valid]) == list(range(60))
        np.testing.assert_array_equal(test, np.arange(len(LABELS) - 60))
        fold_rows.append(valid)
    assert sorted(np.concatenate(fold_rows)) == list(range(60))
    counts = [np.bincount(LABELS[:60][rows], minlength=2) for rows in fold_rows]
    assert np.ptp(counts, axis=0).max() <= 1  # each class has its share


def test_a_validation_fold_counts_before_a_validation_split_of_the_data():
    splits = {"train": LABELS[:40], "valid": LABELS[40:60], "test": LABELS[60:]}
    assert cut("valid", splits)[0] == "valid"
    folder, rows = cut("valid", splits, train=TrainConfig(val_fold="2/4"))
    assert (folder, len(rows)) == ("train", 10)


def test_a_validation_fold_keeps_what_belongs_together():
    together = np.repeat(np.arange(12), 5)
    options = TrainConfig(val_fold="1/3")
    _, train = cut("train", train=options, together_of=lambda _: together)
    _, valid = cut("valid", train=options, together_of=lambda _: together)
    assert not set(together[train]) & set(together[valid])


@pytest.mark.parametrize("seed", range(5))
def test_a_validation_part_of_small_groups_keeps_the_shares_of_the_classes(seed):
    together, options = np.arange(len(LABELS)) // 2, TrainConfig(val_fraction=0.2, seed=seed)
    _, valid = cut("valid", {"train": LABELS}, train=options, together_of=lambda _: together)
    _, train = cut("train", {"train": LABELS}, train=options, together_of=lambda _: together)
    assert not set(together[train]) & set(together[valid]) and len(train) + len(valid) == len(LABELS)
    np.testing.assert_allclose(np.bincount(LABELS[valid], minlength=3), [10, 6, 1.5], atol=1.5)


def test_a_validation_part_of_two_groups_of_different_classes_has_one_of_them():
    together = np.repeat([0, 1], [30, 58])
    _, valid = cut("valid", {"train": together}, train=TrainConfig(val_fraction=0.2), together_of=lambda _: together)
    assert set(together[valid]) in ({0}, {1})


def test_validation_folds_depend_on_the_seed_and_need_an_item_each():
    one, other = (cut("valid", train=TrainConfig(val_fold="1/4", seed=seed))[1] for seed in (0, 1))
    assert not np.array_equal(one, other)
    with pytest.raises(DataError, match="--folds 99: there are 60 items"):
        cut("valid", train=TrainConfig(val_fold="1/99"))
