"""The recipe of texts: one for each size of data."""

from __future__ import annotations

import pytest

from dlcli.tasks.sentiment.recipes import FEWEST_EPOCHS, MOST_EPOCHS, TEXTS, recipe

from .conftest import write_rows


@pytest.mark.parametrize("given", [{"model": "wide-deep"}, {"model": "tfidf"}, {"model": "lstm"}])
def test_few_texts_are_seen_more_often_by_linear_paths(make_texts, given):
    data = make_texts({"train": write_rows({"negative": 30, "positive": 30})})
    plain, few = recipe("texts", given), recipe("texts", given, data)
    assert plain["model"] == TEXTS["model"]
    assert few["epochs"] == (plain["epochs"] if given.get("model") == "lstm" else MOST_EPOCHS)
    assert {**few, "epochs": 0} == {**plain, "epochs": 0}


@pytest.mark.parametrize(("count", "epochs"), [(100, 30), (2_000, 15), (20_000, 6), (200_000, FEWEST_EPOCHS)])
def test_the_number_of_texts_decides_the_epochs(monkeypatch, tmp_path, count, epochs):
    monkeypatch.setattr("dlcli.tasks.sentiment.recipes._num_texts", lambda data: count)
    assert recipe("texts", {"model": "wide-deep"}, tmp_path)["epochs"] == epochs


def test_a_folder_that_cannot_be_read_has_the_defaults(tmp_path):
    assert recipe("texts", {}, tmp_path / "none") == TEXTS
    (tmp_path / "dataset.json").write_text("{")
    assert recipe("texts", {}, tmp_path) == TEXTS
