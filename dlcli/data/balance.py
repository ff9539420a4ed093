"""The balance of the classes of a split."""

from __future__ import annotations

from dlcli.core.findings import OK, WARNING, Finding
from dlcli.data.card import Card

MOST_UNEVEN = 10
"""A larger ratio of the largest to the smallest class is worth a warning, and calls for `--class-weights`."""


def balance_of(card: Card, split: str, items: str) -> Finding:
    """Return the size of a split, and of its smallest and largest class; `items` is the noun for the message."""
    counts = card.counts[split].values()
    smallest, largest = min(counts), max(counts)
    state = OK if smallest and largest <= MOST_UNEVEN * smallest else WARNING
    return Finding(split, state, f"{card.num_items(split):,} {items}, {smallest:,} to {largest:,} a class")
