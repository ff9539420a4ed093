"""All items of prepared data, whatever their kind, for checks that compare them with each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError, UsageError
from dlcli.core.registry import load_object
from dlcli.data.forms import form_of
from dlcli.data.items import Item


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of items that are near-duplicates.

    Attributes:
        first, second: (P,) int64, the numbers of the items in their collection; no pair occurs twice.
        similarity: (P,) float64, 1 for equal items.
        least: the least similarity that counts.
        notes: what was not compared, and why.
    """

    first: np.ndarray
    second: np.ndarray
    similarity: np.ndarray
    least: float = 1.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Collection:
    """The N items of prepared data, in the order of its splits, or of its rows if the splits are mixed.

    Attributes:
        splits: the names of the splits.
        split_of: (N,) int64, the split of each item.
        labels: (N,) int64, equal for items of one label: a class, a set of classes, or a number to predict.
        item: item's number -> the item as people see it, without its picture; its name includes the split.
        near_duplicates: returns the pairs of near-duplicates.
        picture: item's number -> (H, W, C) uint8 with one channel or RGB, a DataError if it cannot be read; None if
            items are no images.
    """

    splits: tuple[str, ...]
    split_of: np.ndarray
    labels: np.ndarray
    item: Callable[[int], Item]
    near_duplicates: Callable[[], Pairs]
    picture: Callable[[int], np.ndarray] | None = None

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.split_of)


def open_collection(folder: Path) -> Collection:
    """Return all items of prepared data.

    Raises:
        UsageError: data of this form has no items to compare.
        DataError: the folder does not hold such data.
    """
    if not folder.is_dir():
        raise DataError(f"no prepared dataset at {folder}", hint="`dl datasets` lists what can be prepared")
    form = form_of(folder)
    if form is None or not form.collection:
        name = form.summary if form is not None else "a form that is not known here"
        raise UsageError(
            f"{folder}: its items cannot be compared: {name}", hint="near-duplicates are of images, texts and tables"
        )
    collection: Collection = load_object(form.collection)(folder)
    return collection


def numbered(splits: Sequence[str], sizes: Sequence[int]) -> np.ndarray:
    """Return the index of the split of each item, (N,) int64, where the splits follow one another."""
    return np.repeat(np.arange(len(splits), dtype=np.int64), sizes)


def label_numbers(labels: Sequence[str]) -> np.ndarray:
    """Return a number for each label, (N,) int64, equal for equal ones."""
    places: dict[str, int] = {}
    return np.array([places.setdefault(label, len(places)) for label in labels], np.int64)


def pairs_of_equals(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of items with equal keys, (N,), each with the first of its kind only: two (P,) int64.

    So a value that occurs a thousand times gives 999 pairs.
    """
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    origin = first[inverse.reshape(-1)]
    copies = np.flatnonzero(origin != np.arange(len(keys)))
    return origin[copies].astype(np.int64), copies.astype(np.int64)
