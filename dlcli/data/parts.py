"""Which items are for training, validation and testing: splits, the validation part and folds, given the seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from dlcli.core.errors import DataError, UsageError
from dlcli.core.train_config import IN_TIME, FoldPlan, TrainConfig, read_folds, read_val_fold
from dlcli.data.index_files import Numbers, count_splits, read_splits

SourceT = TypeVar("SourceT")

ALL = "all"
"""All splits of a dataset, concatenated: the items that folds divide."""

MAX_LEAVE_ONE_OUT = 2000
"""Maximum items for leave-one-out, since each of them costs a training."""


def part(
    split: str,
    splits: Sequence[str],
    train: TrainConfig,
    labels_of: Callable[[str], np.ndarray],
    *,
    root: Path,
    groups_of: Callable[[str], np.ndarray] | None = None,
    numbers_of: Callable[[], Numbers] | None = None,
    together_of: Callable[[str], np.ndarray] | None = None,
    times_of: Callable[[str], np.ndarray] | None = None,
) -> tuple[str, np.ndarray]:
    """Return the prepared split from which a part is read (`ALL` for a fold), and (K,) int64 indices in it.

    The validation part is a fold of the training split if `--val-fold` names one, else the data's own validation split
    if it has one, else a stratified part of the training split.

    Args:
        split: train, valid, test, or another split of the data.
        splits: the existing splits, in the order in which `ALL` concatenates them.
        train: gives the fold, if any, the seed and the validation fraction.
        labels_of: split or `ALL` -> (N,) integers by which parts are stratified; zeros without classes.
        root: the data's folder, for messages.
        groups_of: name -> (N,) integers over `ALL`; items of one group stay in one part. None without groups.
        numbers_of: returns the items' numbers in index files; None if they are numbered in the order of `ALL`.
        together_of: split or `ALL` -> (N,) integers; items of equal ones, such as the frames of a film, are never
            parted, whatever the user says of groups. None if all items are on their own.
        times_of: column, or "" for the order of the items -> (N,) numbers over `ALL` that grow with time. None if the
            items have no order in time.

    Raises:
        UsageError: there is no such fold.
        DataError: there is no such split or part, or the data is too small for the number of folds.
    """
    if train.fold is not None:
        labels = labels_of(ALL)
        groups = groups_of(train.group) if groups_of is not None and train.group is not None else None
        if together_of is not None and groups is None:
            groups = _if_shared(together_of(ALL))
        numbers = numbers_of() if numbers_of is not None and train.splits is not None else None
        times = _times(train, times_of)
        return ALL, part_of_fold(split, len(labels), train, labels=labels, groups=groups, numbers=numbers, times=times)
    if split in ("train", "valid") and train.val_fold is not None and "train" in splits:
        groups = _if_shared(together_of("train")) if together_of is not None else None
        is_valid = _val_fold(labels_of("train"), groups, train)
        return "train", np.flatnonzero(is_valid if split == "valid" else ~is_valid)
    if split in ("train", "valid") and "valid" not in splits and "train" in splits:
        groups = _if_shared(together_of("train")) if together_of is not None else None
        if groups is None:
            is_valid = stratified_part(labels_of("train"), train.val_fraction, train.seed)
        else:
            is_valid = _part_of_groups(groups, train.val_fraction, train.seed)
        return "train", np.flatnonzero(is_valid if split == "valid" else ~is_valid)
    if split not in splits:
        raise DataError(f"{root}: no split {split!r}", hint=f"it has: {', '.join(splits)}")
    return split, np.arange(len(labels_of(split)))


def _times(train: TrainConfig, times_of: Callable[[str], np.ndarray] | None) -> np.ndarray | None:
    if train.folds is None or not read_folds(train.folds).in_time:
        return None
    if times_of is None:
        raise UsageError(
            f"--folds {train.folds}: only the rows of a table have an order in time", hint="use a number, as --folds 5"
        )
    return times_of(read_folds(train.folds).column)


def _if_shared(groups: np.ndarray) -> np.ndarray | None:
    """Return the groups, or None if each has one item, so that classes can be balanced."""
    return groups if len(np.unique(groups)) < len(groups) else None


def at_hand(source: SourceT | None) -> SourceT:
    """Return the source of a task's items.

    Raises:
        DataError: the run has no data.
    """
    if source is None:
        raise DataError("no data is at hand", hint="pass it with --data DIR")
    return source


def stratified_part(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return which items belong to the part, (N,) bool.

    Each class contributes `round(fraction * n)` of its n items, at least one but never all; a class with a single item
    contributes none. The same labels, fraction and seed give the same part.

    Args:
        labels: (N,) class indices.
        fraction: fraction of each class, in [0, 1].
        seed: seed of the selection.
    """
    generator = np.random.default_rng(seed)
    is_part = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        is_part[generator.permutation(rows)[: size_of_part(len(rows), fraction)]] = True
    return is_part


def size_of_part(count: int, fraction: float) -> int:
    """Return how many of a class's items are in a part of this fraction: at least one but never all."""
    return min(max(round(fraction * count), 1), count - 1) if fraction > 0 else 0


def part_of_fold(
    split: str,
    num_items: int,
    train: TrainConfig,
    *,
    labels: np.ndarray | None,
    groups: np.ndarray | None = None,
    numbers: Numbers | None = None,
    times: np.ndarray | None = None,
) -> np.ndarray:
    """Return the indices of a fold's train, valid or test part among all items of all prepared splits, (K,) int64.

    Args:
        split: the requested part.
        num_items: N, the number of all items, in the order of their splits.
        train: gives the fold, the number of folds (or index files), the seed and the validation fraction.
        labels: (N,) class indices by which parts are stratified; None without classes.
        groups: (N,) integers; items of one group are never in two parts.
        numbers: the items' numbers in index files; None for 0 to N - 1.
        times: (N,) numbers that grow with time, for folds in time; the validation part is then the latest of training.

    Raises:
        UsageError: there is no such fold.
        DataError: there is no such part, or the data is too small for the number of folds.
    """
    assert train.fold is not None
    if train.group is not None and groups is None:
        raise UsageError("--group: only the rows of a table have columns to group by", hint="leave it out")
    if split not in ("train", "valid", "test"):
        raise DataError(f"no split {split!r} in a fold", hint="it has: train, valid, test")
    if train.splits is not None:
        given = read_splits(Path(train.splits), num_items, numbers)
        _check_number(train.fold, len(given))
        rest, test = given[train.fold - 1]
    else:
        rest, test = _cut(num_items, train, labels=labels, groups=groups, times=times)
    if split == "test":
        return test
    if times is not None:
        count = min(max(round(train.val_fraction * len(rest)), 1), len(rest) - 1) if train.val_fraction else 0
        return rest[len(rest) - count :] if split == "valid" else rest[: len(rest) - count]
    strata = labels[rest] if labels is not None else np.zeros(len(rest), dtype=np.int64)
    if groups is not None:
        is_valid = _part_of_groups(groups[rest], train.val_fraction, train.seed)
    else:
        is_valid = stratified_part(strata, train.val_fraction, train.seed)
    return np.asarray(rest[is_valid if split == "valid" else ~is_valid])


def _cut(
    num_items: int,
    train: TrainConfig,
    *,
    labels: np.ndarray | None,
    groups: np.ndarray | None,
    times: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the items outside the test part of a fold, and those in it; see `part_of_fold`."""
    assert train.fold is not None
    plan = read_folds(train.folds or "")
    if plan.count is not None:
        _check_number(train.fold, plan.count)
    if plan.in_time:
        assert times is not None
        return _expanding_window(times, plan, train.fold)
    if plan.held_out is not None:
        is_test = held_out_part(num_items, plan.held_out, train.seed, labels=labels, groups=groups)
        return np.flatnonzero(~is_test), np.flatnonzero(is_test)
    fold_of = assign_folds(num_items, train, labels=labels, groups=groups)
    _check_number(train.fold, int(fold_of.max()) + 1)
    return np.flatnonzero(fold_of != train.fold - 1), np.flatnonzero(fold_of == train.fold - 1)


def held_out_part(
    num_items: int, fraction: float, seed: int, *, labels: np.ndarray | None, groups: np.ndarray | None
) -> np.ndarray:
    """Return which items a round of repeated hold-out tests, (N,) bool, at least one and never all.

    With labels, a class of n items has `fraction * n` of them in the part, rounded up or down. With groups, whole
    groups are drawn until the fraction is reached; classes are then not balanced.

    Args:
        num_items: N.
        fraction: fraction of the items, in (0, 1).
        seed: seed of the selection.
        labels: (N,) class indices; None without classes.
        groups: (N,) integers; None without groups.

    Raises:
        DataError: there are fewer than two items, or groups.
    """
    random = np.random.default_rng([seed, 0x01D0])
    if groups is not None:
        if len(np.unique(groups)) < 2:
            raise DataError(f"--folds {fraction:g}: there is a single group", hint="use another --group")
        return _part_of_groups(groups, fraction, random)
    if num_items < 2:
        raise DataError(f"--folds {fraction:g}: there is a single item, so nothing is left to train on")
    order = random.permutation(num_items)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    count = min(max(round(fraction * num_items), 1), num_items - 1)
    # Evenly spaced from a random start, so that each class has its share and each item the same chance.
    places = np.minimum((np.arange(count) + random.random()) * num_items / count, num_items - 1).astype(np.int64)
    is_part = np.zeros(num_items, bool)
    is_part[order[places]] = True
    return is_part


def _expanding_window(times: np.ndarray, plan: FoldPlan, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the items before the test part of a fold in time, and those in it, both in the order of time.

    The last K * (N // (K + 1)) items are cut into K test parts of equal size, and all before a test part is for
    training, as in scikit-learn's TimeSeriesSplit. Items of one time are never separated: a part begins with the first
    of them.

    Raises:
        DataError: there are too few times for so many folds.
    """
    assert plan.count is not None
    order = np.argsort(times, kind="stable")
    size = len(times) // (plan.count + 1)
    starts = len(times) - size * np.arange(plan.count, 0, -1)
    if size:
        starts = np.searchsorted(times[order], times[order][starts], side="left")
    bounds = np.concatenate([[0], starts, [len(times)]])
    if (np.diff(bounds) < 1).any():
        where = f"the column {plan.column!r} has {len(np.unique(times))} times" if plan.column else f"{len(times)} rows"
        raise DataError(f"--folds {IN_TIME}{plan.count}: too many folds: {where}", hint="use fewer folds")
    return order[: starts[fold - 1]], order[starts[fold - 1] : bounds[fold + 1]]


def _check_number(fold: int, count: int) -> None:
    if fold > count:
        raise UsageError(f"--fold {fold}: there are {count}", hint=f"give --fold 1 to {count}, or leave it out for all")


def _val_fold(labels: np.ndarray, groups: np.ndarray | None, train: TrainConfig) -> np.ndarray:
    """Return which items of the training split are in the fold of --val-fold, (N,) bool."""
    fold, count = read_val_fold(train.val_fold or "")
    plan = replace(train, folds=str(count))
    return np.asarray(assign_folds(len(labels), plan, labels=labels, groups=groups) == fold - 1)


def assign_folds(
    num_items: int, train: TrainConfig, *, labels: np.ndarray | None, groups: np.ndarray | None
) -> np.ndarray:
    """Return the fold of each item, (N,) int64 from 0.

    With labels, the counts of a class differ by at most one between folds. With groups, each group is in one fold: the
    largest groups are assigned first, each to the fold with the fewest items; classes are then not balanced.

    Args:
        num_items: N.
        train: gives the number of folds and the seed.
        labels: (N,) class indices; None without classes.
        groups: (N,) integers; None without groups.

    Raises:
        DataError: there are fewer items, or groups, than folds.
    """
    plan = read_folds(train.folds or "")
    if plan.count is None:
        if num_items > MAX_LEAVE_ONE_OUT:
            raise DataError(f"--folds loo: {num_items:,} items need as many trainings", hint="use --folds 10")
        return np.arange(num_items)
    count = plan.count
    random = np.random.default_rng([train.seed, 0xF01D])
    if groups is not None:
        return _deal_groups(groups, count, random)
    if num_items < count:
        raise DataError(f"--folds {count}: there are {num_items} items", hint="use fewer folds")
    order = random.permutation(num_items)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    fold_of = np.empty(num_items, dtype=np.int64)
    fold_of[order] = np.arange(num_items) % count  # like dealing cards, one class after the other
    return fold_of


def _deal_groups(groups: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    names, member_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < count:
        raise DataError(f"--folds {count}: there are {len(names)} groups", hint="use fewer folds, or another --group")
    shuffled = random.permutation(len(names))
    loads = np.zeros(count, dtype=np.int64)
    fold_of_group = np.empty(len(names), dtype=np.int64)
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of_group[group] = loads.argmin()
        loads[fold_of_group[group]] += sizes[group]
    return np.asarray(fold_of_group[member_of])


def _part_of_groups(groups: np.ndarray, fraction: float, seed: int | np.random.Generator) -> np.ndarray:
    """Return which items are in a part of whole groups, of about this fraction of the items but never all groups."""
    names, member_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    before = np.cumsum(sizes[order]) - sizes[order]
    chosen = order[(before < fraction * len(groups))][: len(names) - 1]
    return np.isin(member_of, chosen)


def num_folds(train: TrainConfig, num_items: int) -> int:
    """Return the number of folds of this many items in a round; a round of hold-out has one.

    Raises:
        DataError: index files are missing or damaged, or there are too many items for leave-one-out.
    """
    if train.splits is not None:
        return count_splits(Path(train.splits))
    plan = read_folds(train.folds or "")
    return len(assign_folds(num_items, train, labels=None, groups=None)) if plan.count is None else plan.count
