"""Which items are for training, validation and testing: splits, the validation part and folds, given the seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from dlcli.core.errors import DataError, UsageError
from dlcli.core.train_config import LOO, TrainConfig
from dlcli.data.index_files import Numbers, count_splits, read_splits

SourceT = TypeVar("SourceT")

ALL = "all"
"""All splits of a dataset, concatenated: the items that folds divide."""

SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "valid": ("valid", "val", "validation"),
    "test": ("test", "testing"),
}
"""Names of the folders of each split, in lower case."""

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
) -> tuple[str, np.ndarray]:
    """Return the prepared split from which a part is read (`ALL` for a fold), and (K,) int64 indices in it.

    The validation part is the data's own validation split if it has one, else a stratified part of the training split.

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
        return ALL, part_of_fold(split, len(labels), train, labels=labels, groups=groups, numbers=numbers)
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
        count = min(max(round(fraction * len(rows)), 1), len(rows) - 1) if fraction > 0 else 0
        is_part[generator.permutation(rows)[:count]] = True
    return is_part


def part_of_fold(
    split: str,
    num_items: int,
    train: TrainConfig,
    *,
    labels: np.ndarray | None,
    groups: np.ndarray | None = None,
    numbers: Numbers | None = None,
) -> np.ndarray:
    """Return the indices of a fold's train, valid or test part among all items of all prepared splits, (K,) int64.

    Args:
        split: the requested part.
        num_items: N, the number of all items, in the order of their splits.
        train: gives the fold, the number of folds (or index files), the seed and the validation fraction.
        labels: (N,) class indices by which parts are stratified; None without classes.
        groups: (N,) integers; items of one group are never in two parts.
        numbers: the items' numbers in index files; None for 0 to N - 1.

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
        fold_of = assign_folds(num_items, train, labels=labels, groups=groups)
        _check_number(train.fold, int(fold_of.max()) + 1)
        rest, test = np.flatnonzero(fold_of != train.fold - 1), np.flatnonzero(fold_of == train.fold - 1)
    if split == "test":
        return test
    strata = labels[rest] if labels is not None else np.zeros(len(rest), dtype=np.int64)
    if groups is not None:
        is_valid = _part_of_groups(groups[rest], train.val_fraction, train.seed)
    else:
        is_valid = stratified_part(strata, train.val_fraction, train.seed)
    return np.asarray(rest[is_valid if split == "valid" else ~is_valid])


def _check_number(fold: int, count: int) -> None:
    if fold > count:
        raise UsageError(f"--fold {fold}: there are {count}", hint=f"give --fold 1 to {count}, or leave it out for all")


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
    if train.folds == LOO:
        if num_items > MAX_LEAVE_ONE_OUT:
            raise DataError(f"--folds loo: {num_items:,} items need as many trainings", hint="use --folds 10")
        return np.arange(num_items)
    count = int(train.folds or 0)
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


def _part_of_groups(groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return which items are in a part of whole groups, of about this fraction of the items but never all groups."""
    names, member_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    before = np.cumsum(sizes[order]) - sizes[order]
    chosen = order[(before < fraction * len(groups))][: len(names) - 1]
    return np.isin(member_of, chosen)


def num_folds(train: TrainConfig, num_items: int) -> int:
    """Return the number of folds of this many items.

    Raises:
        DataError: index files are missing or damaged, or there are too many items for leave-one-out.
    """
    if train.splits is not None:
        return count_splits(Path(train.splits))
    if train.folds == LOO:
        return len(assign_folds(num_items, train, labels=None, groups=None))
    return int(train.folds or 0)
