"""Classifiers by name: the sizes that are asked for, and what a network cannot have is refused with those that can."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.tasks.classes.image_building import build_classifier

SIZE = {"num_classes": 7, "channels": 1, "size": (32, 32)}


@pytest.mark.parametrize("name", ["lenet", "cnn", "resnet", "shufflenet_v2_x0_5"])
def test_a_network_has_the_channels_and_classes_that_are_wanted(name: str) -> None:
    network = build_classifier(name, **SIZE).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 1, 32, 32)).shape == (2, 7)


def test_a_width_is_that_of_the_network() -> None:
    narrow, wide = (build_classifier("resnet", **SIZE, own={"width": width}) for width in (4, 8))
    ratio = sum(each.numel() for each in wide.parameters()) / sum(each.numel() for each in narrow.parameters())
    assert 3.5 < ratio < 4  # convolutions grow with the square


@pytest.mark.parametrize(
    ("name", "message"),
    [("lenet", "lenet has a fixed width"), ("resnet18", "torchvision's networks have a fixed width")],
)
def test_a_fixed_width_is_answered_with_networks_that_have_one(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"--width: {message}") as caught:
        build_classifier(name, **SIZE, own={"width": 8})
    choices = str(caught.value.hint).removeprefix("choose ").split(" or ")
    assert "resnet" in choices
    with torch.device("meta"):  # shapes without values
        assert all(build_classifier(choice, **SIZE, own={"width": 8}) for choice in choices)


def test_a_misspelt_network_is_answered_with_the_nearest_of_both_lists() -> None:
    for wrong, right in (("lennet", "lenet"), ("resnet19", "resnet18")):
        with pytest.raises(UsageError, match=f"--model: no network '{wrong}'") as caught:
            build_classifier(wrong, **SIZE)
        assert right in str(caught.value.hint)


def test_images_that_are_too_small_for_torchvisions_network_are_refused() -> None:
    with pytest.raises(UsageError):
        build_classifier("inception_v3", num_classes=7, channels=3, size=(8, 8))


def build(name: str, **own: Any) -> nn.Module:
    return build_classifier(name, **SIZE, own=own)


def test_an_option_reaches_the_networks_builder_and_none_is_its_default() -> None:
    network = build("cnn", width=8, norm="group", activation="tanh")
    kinds = [type(module).__name__ for module in network.modules()]
    assert kinds.count("GroupNorm") == kinds.count("Tanh") == 5
    assert network.get_submodule("layer1.0.0").out_channels == 8
    plain = build("cnn", width=None, norm=None, activation=None)
    assert [name for name, _ in plain.named_parameters()] == [name for name, _ in build("cnn").named_parameters()]


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("lenet", "norm", "batch"),
        ("airnet", "activation", "tanh"),
        ("efficientnet_lite0", "norm", "group"),
        ("course-vgg", "norm", "none"),
        ("vgg", "width", 8),
        ("resnet18", "activation", "silu"),
    ],
)
def test_an_option_that_a_network_lacks_is_refused_with_those_that_have_it(name: str, option: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"--{option}: .* a fixed {option}") as caught:
        build(name, **{option: value})
    choices = str(caught.value.hint).removeprefix("choose ").split(" or ")
    assert "cnn" in choices
    assert name not in choices
