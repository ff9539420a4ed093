from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
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


def test_lenet_is_its_functions_in_a_row() -> None:
    network, images = LeNet(num_classes=10), torch.randn(3, 1, 28, 28)
    conv1, conv2 = network.layer1[0], network.layer2[0]
    first = F.max_pool2d(F.conv2d(images, conv1.weight, conv1.bias, padding=2).relu(), 2)
    second = F.max_pool2d(F.conv2d(first, conv2.weight, conv2.bias).relu(), 2)
    assert second.shape == (3, 16, 5, 5)
    hidden = second.flatten(1)
    for layer in (network.hidden[0], network.hidden[2]):
        hidden = F.linear(hidden, layer.weight, layer.bias).relu()
    torch.testing.assert_close(network(images), F.linear(hidden, network.head.weight, network.head.bias))


@pytest.mark.parametrize("width", [4, 16])
def test_small_cnn_doubles_its_width_in_each_stage(width: int) -> None:
    network = SmallCNN(num_classes=10, width=width)
    widths = [module.out_channels for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert widths == [width, width, 2 * width, 2 * width, 4 * width]


def test_dropout_acts_before_the_head_in_training_alone() -> None:
    network, images = SmallCNN(num_classes=10, width=4, dropout=0.5).eval(), torch.randn(2, 1, 28, 28)
    assert torch.equal(network(images), network(images))
    network.dropout.train()
    assert not torch.equal(network(images), network(images))
