from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.models.dropout import BitDropout, set_dropout
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


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bit_dropout_drops_its_share_and_keeps_the_mean(rate, dtype):
    torch.manual_seed(0)
    dropped = BitDropout(rate)(torch.ones(301, 333, dtype=dtype))  # not a multiple of four
    is_kept = dropped != 0
    error = (rate * (1 - rate) / dropped.numel()) ** 0.5
    assert (~is_kept).double().mean().item() == pytest.approx(rate, abs=5 * error)
    assert dropped[is_kept].double().unique().tolist() == [pytest.approx(1 / (1 - rate), rel=4e-3)]
    neighbours = is_kept[:, 1:] == is_kept[:, :-1]  # the values of one draw are independent
    expected = rate**2 + (1 - rate) ** 2
    assert neighbours.double().mean().item() == pytest.approx(expected, abs=0.01)


def test_bit_dropout_follows_the_seed_and_its_gradient_the_mask():
    layer, values = BitDropout(0.3), torch.randn(7, 9, requires_grad=True)
    torch.manual_seed(5)
    first = layer(values)
    torch.manual_seed(5)
    assert torch.equal(layer(values), first)
    assert not torch.equal(layer(values), first)
    first.sum().backward()
    torch.testing.assert_close(values.grad * values, first)
    assert layer.eval()(values) is values
    set_dropout(layer, 0.0, "net")
    assert layer.train()(values) is values
