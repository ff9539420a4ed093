from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.models.text.attention import Attends, LSTMAttention
from dlcli.models.text.bag import FastText
from dlcli.models.text.wide import WideDeep
from dlcli.visualize.word_weights import embedding_of, word_weights

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


class Weighted(nn.Module):
    """Logits that are a fixed linear function of each place's word vector, so that gradients are known."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 2)
        self.register_buffer("places", torch.tensor([1.0, -2.0, 0.0, 4.0]))

    def forward(self, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        del lengths
        score = (self.embedding(tokens).sum(2) * self.places[: tokens.shape[1]]).sum(1)
        return torch.stack([score.abs() + 1, score - score], dim=1)


def test_a_weight_is_the_length_of_gradient_times_vector_as_a_part_of_all() -> None:
    model = Weighted()
    weights, index, probability, _ = word_weights(model, TOKENS, LENGTHS)
    vectors = model.embedding(TOKENS)[0].detach().double()
    expected = (vectors * model.places[:, None]).norm(dim=1)
    np.testing.assert_allclose(weights, expected / expected.sum(), rtol=1e-6)
    logits = model(TOKENS, LENGTHS)[0]
    assert index == 0
    assert probability == pytest.approx(float(logits.softmax(0)[0].detach()))


def test_a_word_of_zeros_or_without_influence_has_no_weight() -> None:
    model = Weighted()
    with torch.no_grad():
        model.embedding.weight[TOKENS[0, 1]] = 0
    weights, *_ = word_weights(model, TOKENS, LENGTHS)
    assert (weights > 0).tolist() == [True, False, False, True]
    with torch.no_grad():
        model.embedding.weight.zero_()
    assert not word_weights(model, TOKENS, LENGTHS)[0].any()  # and no division by their sum


def test_frozen_word_vectors_have_weights_too() -> None:
    model = Weighted()
    before = word_weights(model, TOKENS, LENGTHS)[0]
    np.testing.assert_array_equal(word_weights(model.requires_grad_(False), TOKENS, LENGTHS)[0], before)


def test_the_first_embedding_is_the_one_of_the_words() -> None:
    first, second = nn.Embedding(3, 2), nn.Embedding(3, 2)
    assert embedding_of(nn.Sequential(nn.Linear(1, 1), nn.Sequential(first), second)) is first
    assert embedding_of(WideDeep(num_classes=2, vocab_size=9, buckets=50)).num_embeddings == 9
    with pytest.raises(UsageError, match="word vectors"):
        embedding_of(nn.Linear(2, 2))
