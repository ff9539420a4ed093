from __future__ import annotations

import pytest

from dlcli.core.config import Layer, resolve, split_values
from dlcli.core.registry import DATASETS
from dlcli.core.train_config import TrainConfig
from dlcli.tasks.classification.config import ClassificationConfig
from dlcli.tasks.classification.networks import NETWORKS
from dlcli.tasks.classification.recipes import BY_DATASET, BY_MODEL, recipe

NAMES = [*(name for name, spec in DATASETS.items() if spec.task == "classification"), "a folder of one's own"]


@pytest.mark.parametrize("dataset", NAMES)
@pytest.mark.parametrize("given", [{}, {"pretrained": "default"}, *({"model": name} for name in BY_MODEL)])
def test_every_option_that_a_recipe_names_exists_and_its_value_is_allowed(dataset, given):
    own, shared = split_values(recipe(dataset, given), ClassificationConfig, TrainConfig, origin="recipe")
    resolve(ClassificationConfig, [own])
    resolve(TrainConfig, [shared])


def test_a_recipe_belongs_to_a_dataset_that_there_is():
    assert set(BY_DATASET) <= set(DATASETS)


@pytest.mark.parametrize("dataset", NAMES)
def test_the_recommended_network_exists(dataset):
    from dlcli.models.images.zoo import classifier_names

    assert recipe(dataset, {})["model"] in {*NETWORKS, *classifier_names()}


@pytest.mark.parametrize("dataset", ["digits", "mnist"])
def test_a_sign_is_never_mirrored(dataset):
    assert recipe(dataset, {})["flip"] is False


def test_networks_without_batch_norm_are_spared_the_large_rate_of_sgd():
    for model in ("vit_b_16", "swin_t", "convnext_tiny", "alexnet", "squeezenet1_1", "vgg16", "lenet"):
        chosen = recipe("cifar10", {"model": model})
        assert chosen["optimizer"] == "adamw"
        assert chosen["learning_rate"] <= 3e-3
    for model in ("resnet", "resnet50", "vgg", "vgg16_bn", "densenet121"):
        assert recipe("cifar10", {"model": model})["optimizer"] == "sgd"


def test_weights_that_know_something_are_trained_gently():
    assert recipe("cifar10", {"pretrained": "default", "model": "resnet18"})["learning_rate"] <= 3e-4


def test_what_the_user_gave_wins_over_the_recipe_and_the_recipe_is_not_changed():
    first = recipe("cifar10", {"model": "vit_b_16"})
    config = resolve(TrainConfig, [Layer("recipe", {"epochs": first["epochs"]}), Layer(None, {"epochs": 99})])
    assert config.epochs == 99
    assert recipe("cifar10", {})["optimizer"] == "muon"
