"""A head of cosines: directions alone count, and it takes the place of a linear head only where that is the last."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcli.models.cosine import CosineHead, install_cosine_head
from dlcli.models.heads import head_of


class Net(nn.Module):
    def __init__(self, after=None, conv=False):
        super().__init__()
        self.body = nn.Linear(3, 5)
        self.head = nn.Conv2d(5, 4, 1) if conv else nn.Linear(5, 4)
        self.after = after or nn.Identity()

    def forward(self, items):
        return self.after(self.head(self.body(items)))


ITEMS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))


def test_logits_are_scaled_cosines_whatever_the_lengths():
    head = CosineHead(5, 4, 7.0)
    features = torch.randn(6, 5)
    expected = 7 * F.cosine_similarity(features[:, None], head.weight[None], dim=2)
    torch.testing.assert_close(head(features), expected)
    torch.testing.assert_close(head(100 * features), expected)
    assert set(dict(head.named_parameters())) == {"weight"}


def test_it_replaces_the_last_layer_with_its_weights_and_is_found_as_the_head():
    net = Net().train()
    weight = net.head.weight.detach().clone()
    install_cosine_head(net, 7.0, ITEMS)
    assert isinstance(head_of(net), CosineHead) and torch.equal(net.head.weight, weight) and net.training
    torch.testing.assert_close(net(ITEMS), 7 * F.cosine_similarity(net.body(ITEMS)[:, None], weight[None], dim=2))


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (Net(after=nn.Softmax(1)), "not the last layer"),
        (Net(conv=True), "convolution"),
        (nn.Sequential(nn.Linear(3, 4)), "no layer named"),
    ],
)
def test_a_network_without_a_linear_last_layer_is_refused_unchanged(net, message):
    before = [type(module) for module in net.modules()]
    with pytest.raises(ValueError, match=message):
        install_cosine_head(net, 7.0, ITEMS)
    assert [type(module) for module in net.modules()] == before
