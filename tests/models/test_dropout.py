from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.models.dropout import set_dropout
from dlcli.models.images.lenet import SmallCNN
from dlcli.models.images.resnet import ResNet


def test_every_dropout_of_a_network_gets_the_rate() -> None:
    network = nn.Sequential(SmallCNN(num_classes=3, width=4, dropout=0.3), nn.Dropout2d(0.1))
    set_dropout(network, 0.7, "cnn")
    rates = [module.p for module in network.modules() if isinstance(module, (nn.Dropout, nn.Dropout2d))]
    assert len(rates) > 1 and set(rates) == {0.7}


def test_a_rate_of_zero_makes_training_answers_certain() -> None:
    network = SmallCNN(num_classes=3, width=4)
    set_dropout(network, 0.0, "cnn")
    images = torch.rand(4, 1, 28, 28)
    network.train()
    assert torch.equal(network(images), network(images))


def test_a_network_without_dropout_is_refused() -> None:
    with pytest.raises(UsageError, match="--dropout: resnet has no dropout"):
        set_dropout(ResNet(num_classes=3, width=8), 0.5, "resnet")
