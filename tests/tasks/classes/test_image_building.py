"""Classifiers by name: the sizes that are asked for, and what a network cannot have is refused with those that can."""

from __future__ import annotations

import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.tasks.classes.image_building import build_classifier

SIZE = {"num_classes": 7, "channels": 1, "size": (32, 32)}


@pytest.mark.parametrize("name", ["lenet", "cnn", "resnet", "shufflenet_v2_x0_5"])
def test_a_network_has_the_channels_and_classes_that_are_wanted(name: str) -> None:
    network = build_classifier(name, **SIZE).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 1, 32, 32)).shape == (2, 7)


def test_a_width_is_that_of_the_network() -> None:
    narrow, wide = (build_classifier("resnet", **SIZE, width=width) for width in (4, 8))
    ratio = sum(each.numel() for each in wide.parameters()) / sum(each.numel() for each in narrow.parameters())
    assert 3.5 < ratio < 4  # convolutions grow with the square


@pytest.mark.parametrize(
    ("name", "message"),
    [("lenet", "lenet has a fixed width"), ("resnet18", "torchvision's networks have fixed widths")],
)
def test_a_fixed_width_is_answered_with_networks_that_have_one(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"--width: {message}") as caught:
        build_classifier(name, **SIZE, width=8)
    choices = str(caught.value.hint).removeprefix("choose ").split(" or ")
    assert "resnet" in choices
    with torch.device("meta"):  # shapes without values
        assert all(build_classifier(choice, **SIZE, width=8) for choice in choices)


def test_a_misspelt_network_is_answered_with_the_nearest_of_both_lists() -> None:
    for wrong, right in (("lennet", "lenet"), ("resnet19", "resnet18")):
        with pytest.raises(UsageError, match=f"--model: no network '{wrong}'") as caught:
            build_classifier(wrong, **SIZE)
        assert right in str(caught.value.hint)


def test_images_that_are_too_small_for_torchvisions_network_are_refused() -> None:
    with pytest.raises(UsageError):
        build_classifier("inception_v3", num_classes=7, channels=3, size=(8, 8))
