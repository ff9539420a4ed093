"""The recipe of texts: one for each size of data."""

from __future__ import annotations

import pytest

from dlcli.core.config import fields_of
from dlcli.core.train_config import TrainConfig
from dlcli.tasks.sentiment.config import SentimentConfig
from dlcli.tasks.sentiment.recipes import FEWEST_EPOCHS, MOST_EPOCHS, OF_TRAINED, recipe

from .conftest import write_rows


@pytest.mark.parametrize("given", [{"model": "wide-deep"}, {"model": "tfidf"}, {"model": "lstm"}])
def test_few_texts_are_seen_more_often_by_a_linear_path(make_texts, given):
    data = make_texts({"train": write_rows({"negative": 30, "positive": 30})})
    plain, few = recipe("texts", given), recipe("texts", given, data)
    assert few["epochs"] == (MOST_EPOCHS if given["model"] == "wide-deep" else plain["epochs"])
    assert {**few, "epochs": 0} == {**plain, "epochs": 0}


@pytest.mark.parametrize(("count", "epochs"), [(100, 30), (2_000, 15), (20_000, 6), (200_000, FEWEST_EPOCHS)])
def test_the_number_of_texts_decides_the_epochs(monkeypatch, tmp_path, count, epochs):
    monkeypatch.setattr("dlcli.tasks.sentiment.recipes._num_texts", lambda data: count)
    assert recipe("texts", {"model": "wide-deep"}, tmp_path)["epochs"] == epochs


def test_a_folder_that_cannot_be_read_has_the_defaults(tmp_path):
    for name in ("none", "."):
        assert recipe("texts", {}, tmp_path / name) == recipe("texts", {})
        (tmp_path / "dataset.json").write_text("{")


@pytest.mark.parametrize(
    ("given", "model"),
    [
        ({}, "tfidf"),
        ({"seed": 3}, "tfidf"),
        ({"epochs": 3}, "lstm"),
        ({"hidden": 64}, "lstm"),
        ({"weight_decay": 0.0}, "lstm"),
    ],
)
def test_an_option_that_only_a_trained_network_has_means_one(given, model):
    assert recipe("texts", given)["model"] == model


def test_every_such_option_is_one_of_the_task_or_the_loop():
    names = {info.name for config in (SentimentConfig, TrainConfig) for info in fields_of(config)}
    assert set(OF_TRAINED) <= names
