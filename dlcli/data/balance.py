"""How evenly the classes of a split are filled."""

from __future__ import annotations

from dlcli.core.findings import OK, WARNING, Finding
from dlcli.data.card import Card

MOST_UNEVEN = 10
"""A largest class of more than this many times the smallest is worth a warning: `--class-weights` is for that."""


def balance_of(card: Card, split: str, items: str) -> Finding:
    """Return how many items a split has, and how many its smallest and largest class; `items` names them."""
    counts = card.counts[split].values()
    smallest, largest = min(counts), max(counts)
    state = OK if smallest and largest <= MOST_UNEVEN * smallest else WARNING
    return Finding(split, state, f"{card.num_items(split):,} {items}, {smallest:,} to {largest:,} a class")
