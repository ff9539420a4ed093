from __future__ import annotations

import pytest

from dlcli.core.findings import OK, WARNING, Finding
from dlcli.data.balance import MOST_UNEVEN, balance_of
from dlcli.data.card import Card


def card_of(counts: dict[str, int], items: dict[str, int] | None = None) -> Card:
    return Card("images", "pets", tuple(counts), {"train": counts}, items=items or {})


@pytest.mark.parametrize(
    ("smallest", "largest", "state"),
    [(5, 5, OK), (1, MOST_UNEVEN, OK), (1, MOST_UNEVEN + 1, WARNING), (0, 3, WARNING)],
)
def test_a_split_is_worth_a_warning_where_one_class_is_ten_times_another_or_empty(smallest, largest, state):
    found = balance_of(card_of({"猫": largest, "狗": smallest}), "train", "photos")
    assert found == Finding("train", state, f"{smallest + largest} photos, {smallest} to {largest} a class")


def test_items_are_counted_as_the_card_counts_them_and_not_by_their_labels():
    found = balance_of(card_of({"cat": 2000, "dog": 2500}, {"train": 1200}), "train", "photos")
    assert found.found == "1,200 photos, 2,000 to 2,500 a class"
