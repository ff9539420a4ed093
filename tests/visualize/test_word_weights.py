from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dlcli.models.text.attention import Attends, LSTMAttention
from dlcli.models.text.bag import FastText
from dlcli.visualize.word_weights import word_weights

TOKENS = torch.tensor([[2, 5, 3, 7]])
LENGTHS = torch.tensor([4])


def _network(kind: type) -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = kind(num_classes=3, vocab_size=9)
    return network


def test_a_network_that_attends_gives_its_own_weights() -> None:
    model = _network(LSTMAttention)
    assert isinstance(model, Attends)
    weights, index, probability, origin = word_weights(model, TOKENS, LENGTHS)
    model.eval()
    with torch.no_grad():
        expected = model.attention(TOKENS, LENGTHS)[0].double().numpy()
        probabilities = model(TOKENS, LENGTHS)[0].softmax(0)
    np.testing.assert_array_equal(weights, expected / expected.sum())
    assert (index, origin) == (int(probabilities.argmax()), "attention")
    assert probability == pytest.approx(float(probabilities.max()))


@pytest.mark.parametrize(("kind", "by_gradient"), [(FastText, False), (LSTMAttention, True)])
def test_any_other_and_one_that_must_is_weighed_by_its_gradient(kind: type, by_gradient: bool) -> None:
    weights, _, _, origin = word_weights(_network(kind), TOKENS, LENGTHS, by_gradient=by_gradient)
    assert origin == "gradient x word vector"
    assert weights.shape == (4,)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    assert not isinstance(_network(FastText), Attends)


@pytest.mark.parametrize("by_gradient", [False, True])
def test_the_network_stays_in_its_mode_and_has_no_hooks_after(by_gradient: bool) -> None:
    model = _network(LSTMAttention).train()
    word_weights(model, TOKENS, LENGTHS, by_gradient=by_gradient)
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
