"""The tables of near-duplicates: how many there are between splits, and which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcli.core.console import shorten
from dlcli.core.table import Table
from dlcli.data.collection import Collection, Pairs
from dlcli.data.items import Item

MAX_ROWS = 20
"""Pairs printed; JSON has all."""

MAX_NAME, MAX_LABEL = 60, 24
"""Characters printed of a name and of a label."""


def ranked(collection: Collection, pairs: Pairs) -> np.ndarray:
    """Return the order in which people want to see the pairs, (P,) int64.

    First those of different labels, since one of them must be wrong; then those across splits, since they flatter the
    test; then by similarity.
    """
    same_label = collection.labels[pairs.first] == collection.labels[pairs.second]
    same_split = collection.split_of[pairs.first] == collection.split_of[pairs.second]
    return np.lexsort((pairs.second, pairs.first, -pairs.similarity, same_split, same_label))


def split_table(collection: Collection, pairs: Pairs) -> Table:
    """Return the number of pairs within and between splits.

    An entry counts the pairs, those of different labels, and the items of the later split that have a near-duplicate
    in the earlier one (within a split, that have any), with their share of the split.
    """
    sizes = np.bincount(collection.split_of, minlength=len(collection.splits))
    low, high = (
        function(collection.split_of[pairs.first], collection.split_of[pairs.second])
        for function in (np.minimum, np.maximum)
    )
    is_different = collection.labels[pairs.first] != collection.labels[pairs.second]
    entries: list[dict[str, Any]] = []
    for one in range(len(collection.splits)):
        for other in range(one, len(collection.splits)):
            if not sizes[one] or not sizes[other]:
                continue
            is_here = (low == one) & (high == other)
            members = np.unique(np.concatenate([pairs.first[is_here], pairs.second[is_here]]))
            items = int((collection.split_of[members] == other).sum())
            entries.append(
                {
                    "splits": [collection.splits[one], collection.splits[other]],
                    "pairs": int(is_here.sum()),
                    "different_labels": int((is_here & is_different).sum()),
                    "split": collection.splits[other],
                    "items": items,
                    "share": items / int(sizes[other]),
                }
            )
    rows = [
        [
            _between(entry["splits"]),
            entry["pairs"],
            entry["different_labels"],
            f"{entry['items']:,} of {entry['split']} ({entry['share']:.1%})",
        ]
        for entry in entries
    ]
    return Table("splits", ["splits", "pairs", "different labels", "items with a near-duplicate"], rows, entries)


def _between(splits: Sequence[str]) -> str:
    return f"within {splits[0]}" if splits[0] == splits[1] else f"{splits[0]}, {splits[1]}"


def pair_table(collection: Collection, pairs: Pairs) -> Table:
    """Return the pairs in the order of `ranked`; at most `MAX_ROWS` of them are printed."""
    order = ranked(collection, pairs)
    entries: list[dict[str, Any]] = [
        {
            "similarity": round(float(pairs.similarity[place]), 4),
            "first": _entry(collection, int(pairs.first[place])),
            "second": _entry(collection, int(pairs.second[place])),
        }
        for place in order.tolist()
    ]
    rows = [
        [entry["similarity"], *(cell for side in ("first", "second") for cell in _cells(entry[side]))]
        for entry in entries[:MAX_ROWS]
    ]
    return Table("near_duplicates", ["similarity", "first", "label", "second", "label"], rows, entries)


def _entry(collection: Collection, number: int) -> dict[str, Any]:
    item = collection.item(number)
    split = collection.splits[int(collection.split_of[number])]
    return {"name": item.name, "split": split, "label": item.label, **({"fields": item.fields} if item.fields else {})}


def _cells(entry: dict[str, Any]) -> tuple[str, str]:
    return shown_name(Item(entry["name"], entry["label"], fields=entry.get("fields", {}))), shorten(
        entry["label"], MAX_LABEL
    )


def shown_name(item: Item) -> str:
    """Return the name of an item for a table, with its text if it has one."""
    text = item.fields.get("text")
    return shorten(item.name if text is None else f"{item.name}: {text}", MAX_NAME)
