"""Language models: a step says what the whole says, nothing looks ahead, padding changes nothing, and one by hand."""

from __future__ import annotations

import math
from typing import cast

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.models.language import model as language
from dlcli.models.language.feedforward import FeedForwardLanguageModel
from dlcli.models.language.model import BOUNDARY, HasLogits, ScoreGraph, StepGraph
from dlcli.models.language.recurrent import gru, lstm, rnn
from dlcli.models.language.transformer import TransformerLanguageModel
from dlcli.models.text import recurrent, transformer

VOCABULARY = 13
BUILDERS = {
    "rnn": lambda **more: rnn(vocab_size=VOCABULARY, embedding_dim=6, hidden=8, **more),
    "gru": lambda **more: gru(vocab_size=VOCABULARY, embedding_dim=6, hidden=8, layers=2, **more),
    "lstm": lambda **more: lstm(vocab_size=VOCABULARY, embedding_dim=6, hidden=8, layers=2, **more),
    "feedforward": lambda **more: FeedForwardLanguageModel(
        vocab_size=VOCABULARY, embedding_dim=6, hidden=8, order=4, **more
    ),
    "bigram": lambda **more: FeedForwardLanguageModel(
        vocab_size=VOCABULARY, embedding_dim=6, hidden=8, order=2, **more
    ),
    "transformer": lambda **more: TransformerLanguageModel(
        vocab_size=VOCABULARY, embedding_dim=8, heads=2, layers=2, max_length=9, **more
    ),
}
TOKENS = torch.tensor([[3, 5, 1, 12, 7], [4, 4, 9, 0, 0], [2, 0, 0, 0, 0]])
LENGTHS = torch.tensor([5, 3, 1])


@pytest.fixture(params=list(BUILDERS))
def network(request) -> nn.Module:
    torch.manual_seed(0)
    return BUILDERS[request.param]().eval()


def test_steps_give_the_probabilities_of_the_whole(network):
    with torch.no_grad():
        whole = network(TOKENS, LENGTHS)
        state, last = network.start(TOKENS), torch.zeros(3, dtype=torch.int64)
        for place in range(6):
            found, state = network.step(last, state)
            torch.testing.assert_close(found.exp().sum(1), torch.ones(3))
            last = TOKENS[:, place] if place < 5 else torch.zeros(3, dtype=torch.int64)
            expected = torch.where(place <= LENGTHS, found.gather(1, last[:, None])[:, 0], 0.0)
            torch.testing.assert_close(whole[:, place], expected)


def test_padding_and_batches_change_nothing(network):
    rubbish = torch.where(torch.arange(5) < LENGTHS[:, None], TOKENS, 11)
    together = network(TOKENS, LENGTHS)
    torch.testing.assert_close(network(F.pad(rubbish, (0, 3), value=6), LENGTHS)[:, :6], together)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = network(TOKENS[row : row + 1, :length], LENGTHS[row : row + 1])
        torch.testing.assert_close(alone[0], together[row, : length + 1])
        assert not together[row, length + 1 :].any()


@pytest.mark.parametrize("name", list(BUILDERS))
def test_what_comes_later_has_no_influence(name):
    torch.manual_seed(0)
    network = BUILDERS[name](tied=False).eval()
    before = network(TOKENS[:1], LENGTHS[:1])
    changed = TOKENS[:1].clone()
    changed[0, 3] = 8
    after = network(changed, LENGTHS[:1])
    assert torch.equal(before[0, :3], after[0, :3])
    assert not torch.allclose(before[0, 3:], after[0, 3:])


def test_graphs_give_what_the_network_gives(network):
    with torch.no_grad():
        scores, start = ScoreGraph(network)(TOKENS, LENGTHS)
        torch.testing.assert_close(scores, network(TOKENS, LENGTHS))
        assert torch.equal(start, network.start(TOKENS))
        last = torch.tensor([0, 0, 0])
        torch.testing.assert_close(StepGraph(network)(last, start)[0], network.step(last, start)[0])


def test_an_empty_text_is_its_end_alone(network):
    found = network(torch.empty((1, 0), dtype=torch.int64), torch.tensor([0]))
    after_boundary = network.step(torch.tensor([BOUNDARY]), network.start(TOKENS[:1]))[0]
    torch.testing.assert_close(found, after_boundary[:, BOUNDARY : BOUNDARY + 1])


def test_pieces_of_bounded_size_give_what_the_whole_gives(network, monkeypatch):
    expected = network(TOKENS, LENGTHS)
    monkeypatch.setattr(language, "CHUNK", 1)
    with torch.no_grad():
        torch.testing.assert_close(network(TOKENS, LENGTHS), expected)


def test_one_by_hand():
    network = FeedForwardLanguageModel(vocab_size=2, embedding_dim=1, hidden=1, order=2, dropout=0.0)
    with torch.no_grad():
        network.embedding.weight.copy_(torch.tensor([[1.0], [2.0]]))
        network.widen.weight.fill_(0.5)
        network.widen.bias.zero_()
        network.output.bias.copy_(torch.tensor([0.1, 0.0]))
    [[token, end]] = network(torch.tensor([[1]]), torch.tensor([1])).tolist()
    for found, vector, which in ((token, 1.0, 1), (end, 2.0, 0)):
        hidden = math.tanh(0.5 * vector)
        logits = [hidden * 1 + 0.1, hidden * 2]
        assert found == pytest.approx(logits[which] - math.log(sum(map(math.exp, logits))), abs=1e-6)


def test_attention_looks_back_alone_and_sums_to_1():
    network = BUILDERS["transformer"]().eval()
    weights = network.attention(TOKENS[:1])
    assert weights.shape == (1, 2, 2, 6, 6)
    torch.testing.assert_close(weights.sum(4), torch.ones(1, 2, 2, 6))
    assert not weights.triu(1).any()


@pytest.mark.parametrize(
    ("model", "classifier"),
    [
        (BUILDERS["lstm"](), recurrent.lstm(num_classes=2, vocab_size=VOCABULARY, embedding_dim=6, hidden=8, layers=2)),
        (
            BUILDERS["transformer"](),
            transformer.TextTransformer(num_classes=2, vocab_size=VOCABULARY, embedding_dim=8, heads=2, layers=2),
        ),
    ],
)
def test_embedding_and_body_have_the_names_and_shapes_of_a_classifiers(model, classifier):
    own, other = ({name: value.shape for name, value in each.state_dict().items()} for each in (model, classifier))
    body = {name for name in other if not name.startswith("head")}
    assert {name: own[name] for name in body} == {name: other[name] for name in body}


def test_heads_must_divide_the_width():
    with pytest.raises(UsageError, match="3 heads"):
        TransformerLanguageModel(vocab_size=5, embedding_dim=8, heads=3)


def test_every_network_is_a_function_with_a_gradient(network):
    assert isinstance(network, HasLogits)
    cast(nn.Module, network)(TOKENS, LENGTHS).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
