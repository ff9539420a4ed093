"""The card of a dataset: what it counts, and that older cards are read."""

from __future__ import annotations

import pytest

from dlcli.core.errors import DataError
from dlcli.data.card import Card

BY_CLASS = Card("images", "pets", ("cat", "dog"), {"train": {"cat": 2, "dog": 3}, "test": {"cat": 1, "dog": 0}})
OBJECTS = Card("annotated", "road", ("car",), {"train": {"car": 70}}, items={"train": 12, "test": 5})
NUMBERS = Card("table", "homes", (), {}, items={"train": 8, "test": 2})


@pytest.mark.parametrize("card", [BY_CLASS, OBJECTS, NUMBERS])
def test_a_card_is_read_back_as_it_was_written(card):
    assert Card.from_json(card.to_json(), "here") == card


def test_items_are_counted_apart_from_labels_where_the_card_does_so():
    assert [BY_CLASS.num_items(split) for split in ("train", "test", "valid")] == [5, 1, 0]
    assert [OBJECTS.num_items(split) for split in ("train", "test", "valid")] == [12, 5, 0]
    assert (BY_CLASS.splits, OBJECTS.splits, NUMBERS.splits) == (("train", "test"),) * 3


def test_a_card_whose_items_are_its_labels_is_written_as_ever():
    assert "items" not in BY_CLASS.to_json()


def test_an_older_card_that_counts_rows_under_a_made_up_class_is_read_as_one_without():
    old = {**NUMBERS.to_json(), "counts": {"train": {"rows": 8}, "test": {"rows": 2}}}
    del old["items"]
    assert Card.from_json(old, "here") == NUMBERS


@pytest.mark.parametrize("items", [{"train": "8"}, {"train": {"rows": 8}}, [8]])
def test_items_that_are_no_numbers_are_refused(items):
    with pytest.raises(DataError, match="here: not a dataset card"):
        Card.from_json({**NUMBERS.to_json(), "items": items}, "here")
