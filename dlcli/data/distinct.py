"""Parts that never separate copies of one item: they are drawn as a single item, of which each part has all or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dlcli.core.train_config import TrainConfig, read_folds
from dlcli.data.parts import ALL, part


def part_of_distinct(
    split: str,
    splits: Sequence[str],
    train: TrainConfig,
    labels_of: Callable[[str], np.ndarray],
    copies_of: Callable[[str], np.ndarray],
    *,
    root: Path,
) -> tuple[str, np.ndarray]:
    """Return the prepared split from which a part is read, and (K,) int64 indices in it; see `parts.part`.

    Classes are balanced over items without their copies. Parts that are not drawn, but given by the data or by index
    files, are left as they are, and so is leaving one out, whose folds are counted by items.

    Args:
        split, splits, train, labels_of, root: see `parts.part`.
        copies_of: split or `ALL` -> (N,) int64, for each item the index of the first that is equal to it. Only called
            if the part is drawn.
    """
    if not _is_drawn(split, splits, train):
        return part(split, splits, train, labels_of, root=root)
    first, member_of = np.unique(copies_of(ALL if train.fold is not None else "train"), return_inverse=True)
    folder, chosen = part(split, splits, train, lambda name: labels_of(name)[first], root=root)
    return folder, np.flatnonzero(np.isin(member_of, chosen))


def _is_drawn(split: str, splits: Sequence[str], train: TrainConfig) -> bool:
    if train.fold is not None:
        return train.splits is None and read_folds(train.folds or "").count is not None
    if split not in ("train", "valid") or "train" not in splits:
        return False
    return train.val_fold is not None or ("valid" not in splits and train.val_fraction > 0)
