from __future__ import annotations

import torch
from torch import nn

from dlcli.models.images.lenet import LeNet, SmallCNN


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_lenet_has_the_usual_count() -> None:
    assert _count(LeNet(num_classes=10)) == 61_706


def test_averaging_changes_nothing_at_28_pixels() -> None:
    network = LeNet(num_classes=10)
    features = network.layer2(network.layer1(torch.randn(2, 1, 28, 28)))
    assert torch.equal(network.pool(features), features)


def test_networks_of_all_sizes_have_the_same_weights() -> None:
    for build in (LeNet, SmallCNN):
        assert _count(build(num_classes=10, image_size=8)) == _count(build(num_classes=10, image_size=32))


def test_small_cnn_has_the_stated_count() -> None:
    assert _count(SmallCNN(num_classes=10)) == 140_458
