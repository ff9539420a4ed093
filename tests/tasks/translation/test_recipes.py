from __future__ import annotations

import pytest

from dlcli.tasks.translation.recipes import recipe


@pytest.mark.parametrize(
    ("given", "optimizer", "rate"),
    [
        ({}, "muon", 0.02),
        ({"optimizer": "muon"}, "muon", 0.02),
        ({"optimizer": "adamw:0.9,0.98"}, "muon", 1e-3),
        ({"model": "seq2seq"}, "adamw", 2e-3),
        ({"model": "seq2seq", "optimizer": "adam"}, "adamw", 2e-3),
    ],
    ids=["transformer", "muon given", "another optimizer", "seq2seq", "seq2seq with another"],
)
def test_the_rate_is_that_of_the_optimizer(given, optimizer, rate):
    """The user's own options go over those of the recipe, so its optimizer does not matter where one is given."""
    found = recipe("anki", given)
    assert (found["optimizer"], found["learning_rate"]) == (optimizer, rate)


@pytest.mark.parametrize(
    ("given", "size"), [({}, 512), ({"width": 512}, None), ({"model": "seq2seq"}, None)], ids=["own", "wide", "seq2seq"]
)
def test_the_feed_forward_layers_of_another_width_are_the_networks(given, size):
    assert recipe("anki", given).get("feed_forward") == size
