"""The options of tables and the recipes that set them."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcli.core.config import resolve, split_values
from dlcli.core.registry import load_object
from dlcli.core.train_config import TrainConfig
from dlcli.metrics.regression import mean_loss
from dlcli.models.tables.numbers import NumericScale
from dlcli.tasks.tables.config import LOSSES, RegressionConfig, TableClassificationConfig, read_widths
from dlcli.tasks.tables.networks import NETWORKS
from dlcli.tasks.tables.recipes import classification_recipe, recipe


@given(st.lists(st.integers(1, 16384), min_size=1, max_size=32))
def test_widths_are_read_as_they_are_written(widths):
    assert read_widths(",".join(map(str, widths))) == tuple(widths)


@pytest.mark.parametrize("text", ["0", "16385", "-1", "1,,2", "64;64", "None", "1.5", ",".join(["1"] * 33)])
def test_what_are_no_widths_is_repeated_in_the_message(text):
    with pytest.raises(ValueError, match="widths") as caught:
        read_widths(text)
    assert repr(text) in str(caught.value)


def test_every_loss_of_the_options_is_one_of_its_own():
    import numpy as np

    errors = np.array([0.2, -0.7, 3.0])
    values = {kind: mean_loss(errors, kind) for kind in LOSSES}
    assert values["smooth-l1"] == values["huber"]  # with a bend at one standard deviation they are the same
    assert len(set(values.values())) == len(LOSSES) - 1


@pytest.mark.parametrize(
    ("chosen", "config"), [(recipe, RegressionConfig), (classification_recipe, TableClassificationConfig)]
)
@pytest.mark.parametrize("dataset", ["housing", "another"])
def test_a_recipe_sets_options_that_its_task_has(chosen, config, dataset):
    own, shared = split_values(chosen(dataset, {}), config, TrainConfig, origin="recipe")
    resolved = resolve(config, [own])
    assert all(getattr(resolved, name) == value for name, value in own.values.items())
    assert resolve(TrainConfig, [shared]).precision == "fp32"


def test_recipes_are_copies():
    recipe("housing", {})["epochs"] = -1
    recipe("another", {})["epochs"] = -1
    assert recipe("housing", {})["epochs"] == 100
    assert recipe("another", {})["epochs"] == 30


@pytest.fixture
def medium(make_table):
    """A prepared table whose card says that it has 5,000 rows to train on."""
    folder = make_table()
    card = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    (folder / "dataset.json").write_text(json.dumps({**card, "items": {"train": 5000, "test": 12}}), encoding="utf-8")
    return folder


def test_a_table_of_medium_size_has_tabm_and_early_stopping(medium, make_table):
    for chosen, config in ((recipe, RegressionConfig), (classification_recipe, TableClassificationConfig)):
        found = chosen("another", {}, medium)
        own, shared = split_values(found, config, TrainConfig, origin="recipe")
        assert (resolve(config, [own]).model, resolve(TrainConfig, [shared]).patience) == ("tabm", 5)
        assert chosen("another", {}, make_table(name=config.__name__)) == chosen("another", {}) != found


def test_the_users_network_keeps_its_own_defaults_on_a_medium_table(medium):
    assert not {"model", "ensemble", "bins"} & recipe("another", {"model": "mlp"}, medium).keys()
    assert recipe("another", {"model": "tabm"}, medium)["ensemble"] == 32
    assert recipe("another", {"model": "mlp"}, medium)["patience"] == 5


def test_nothing_waits_for_a_better_epoch_without_a_validation_part(medium):
    assert "patience" not in recipe("another", {"val_fraction": 0.0}, medium)


def test_a_small_regression_trains_on_all_rows_unless_epochs_are_compared():
    assert recipe("another", {})["val_fraction"] == 0
    for wants in ({"patience": 3}, {"schedule": "plateau"}, {"schedule": "plateau:2,0.5"}):
        assert "val_fraction" not in recipe("another", wants)
    assert "val_fraction" not in classification_recipe("another", {})


def test_data_that_is_not_there_yet_is_small(tmp_path):
    assert recipe("another", {}, tmp_path / "missing") == recipe("another", {}, tmp_path) == recipe("another", {})


def test_every_network_is_there():
    for network in NETWORKS.values():
        built = load_object(network.build)(scales=[NumericScale(0.0, 0.0, 1.0)], category_sizes=[], out_features=2)
        assert built(torch.zeros(5, 1)).shape == (1, 5, 2)


def test_realmlp_has_its_own_recipe_whatever_the_table(medium):
    for data in (None, medium):
        found = recipe("housing", {"model": "realmlp"}, data)
        assert (found["schedule"], found["scaling"], found["numbers"]) == ("coslog", "robust", "periodic")
        assert classification_recipe("another", {"model": "realmlp"}, data)["label_smoothing"] == 0.1


def test_tabm_has_the_papers_number_of_members_unless_others_are_requested():
    assert recipe("another", {"model": "tabm"})["ensemble"] == 32
    assert classification_recipe("another", {"model": "tabm"})["ensemble"] == 32
    assert recipe("another", {"model": "mlp"})["ensemble"] == 4
