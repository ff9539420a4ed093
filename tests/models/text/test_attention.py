"""The LSTM that attends: its answer is the sum of its states by its weights."""

from __future__ import annotations

import torch
from torch import nn

from dlcli.models.text.attention import Attends, LSTMAttention
from dlcli.models.text.bag import FastText

LENGTHS = torch.tensor([4, 1, 6])
TOKENS = torch.randint(1, 30, (3, 6), generator=torch.Generator().manual_seed(0))


def network() -> LSTMAttention:
    return LSTMAttention(num_classes=3, vocab_size=30, embedding_dim=5, hidden=4).eval()


def test_weights_are_a_softmax_over_the_words_of_each_text() -> None:
    model = network()
    weights = model.attention(TOKENS, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        states, _ = model.recurrent(model.embedding(TOKENS[row : row + 1, :length]), LENGTHS[row : row + 1])
        expected = (torch.tanh(states[0]) @ model.query.weight[0]).softmax(0)
        torch.testing.assert_close(weights[row, :length], expected)
        assert not weights[row, length:].any()


def test_logits_follow_from_the_weighted_sum_of_the_states() -> None:
    model = network()
    states, _ = model.recurrent(model.embedding(TOKENS), LENGTHS)
    summary = torch.einsum("nt,ntf->nf", model.attention(TOKENS, LENGTHS), states)
    torch.testing.assert_close(model(TOKENS, LENGTHS), model.head(torch.tanh(summary)))


def test_a_single_word_has_all_of_the_weight() -> None:
    assert network().attention(TOKENS[:1, :1], torch.tensor([1])).tolist() == [[1.0]]


def test_only_networks_that_tell_their_weights_attend() -> None:
    assert isinstance(network(), Attends)
    assert not isinstance(FastText(num_classes=2, vocab_size=5, buckets=3), Attends)
    assert not isinstance(nn.Linear(2, 2), Attends)
