"""Recurrent networks against torch's own over packed sequences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.models.text.recurrent import KINDS, Recurrent, RNNClassifier, TextRCNN

LENGTHS = torch.tensor([5, 1, 7, 3])


def copy_layer(peer: nn.RNNBase, ours: nn.Module, layer: int, suffix: str) -> None:
    for name, value in ours.named_parameters():
        getattr(peer, f"{name.removesuffix('_l0')}_l{layer}{suffix}").data.copy_(value.data)


def peer_of(ours: Recurrent, kind: str, layers: int, bidirectional: bool) -> nn.RNNBase:
    peer = KINDS[kind](4, 3, num_layers=layers, batch_first=True, bidirectional=bidirectional)
    for layer in range(layers):
        copy_layer(peer, ours.forwards[layer], layer, "")
        if bidirectional:
            copy_layer(peer, ours.backwards[layer], layer, "_reverse")
    return peer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_states_and_ends_equal_those_of_packed_sequences(kind: str, layers: int, bidirectional: bool) -> None:
    ours = Recurrent(kind, 4, 3, layers=layers, bidirectional=bidirectional, dropout=0.0)
    features = torch.randn(4, 7, 4)
    packed = nn.utils.rnn.pack_padded_sequence(features, LENGTHS, batch_first=True, enforce_sorted=False)
    answer, last = peer_of(ours, kind, layers, bidirectional)(packed)
    last = last[0] if kind == "lstm" else last
    expected, _ = nn.utils.rnn.pad_packed_sequence(answer, batch_first=True)
    states, end = ours(features, LENGTHS)
    mask = (torch.arange(7) < LENGTHS[:, None])[:, :, None]
    torch.testing.assert_close(states * mask, expected * mask)
    directions = [last[-2], last[-1]] if bidirectional else [last[-1]]
    torch.testing.assert_close(end, torch.cat(directions, dim=1))
    assert ours.out_features == 3 * len(directions)


def test_dropout_lies_between_the_layers_and_not_before_the_first() -> None:
    features = torch.randn(2, 5, 4)
    one = Recurrent("gru", 4, 3, layers=1, bidirectional=False, dropout=0.9)
    two = Recurrent("gru", 4, 3, layers=2, bidirectional=False, dropout=0.9)
    lengths = torch.tensor([5, 2])
    assert torch.equal(one(features, lengths)[1], one(features, lengths)[1])
    assert not torch.equal(two(features, lengths)[1], two(features, lengths)[1])
    two.eval()
    assert torch.equal(two(features, lengths)[1], two(features, lengths)[1])


def test_an_unknown_kind_is_a_fault() -> None:
    with pytest.raises(KeyError, match="elman"):
        RNNClassifier("elman", num_classes=2, vocab_size=5)


def test_rcnn_equals_its_parts_on_each_text_alone() -> None:
    network = TextRCNN(num_classes=2, vocab_size=30, embedding_dim=4, hidden=3).eval()
    tokens = torch.randint(1, 30, (4, 7))

    def alone(row: int) -> Tensor:
        length = int(LENGTHS[row])
        words = network.embedding(tokens[row : row + 1, :length])
        states, _ = network.recurrent(words, LENGTHS[row : row + 1])
        mixed = torch.tanh(network.mix(torch.cat([states, words], dim=2)))
        logits: Tensor = network.head(mixed.amax(1))[0]
        return logits

    torch.testing.assert_close(network(tokens, LENGTHS), torch.stack([alone(row) for row in range(4)]))
