"""Convolutions over words against a loop over the windows of one text."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dlcli.models.text.convolution import DPCNN, WINDOWS, TextCNN

TEXTS = [[4], [9, 4], [4, 9, 4, 30, 2, 2, 17], [49, 1, 3, 8]]


def batch() -> tuple[Tensor, Tensor]:
    tokens = torch.nn.utils.rnn.pad_sequence([torch.tensor(text) for text in TEXTS], batch_first=True)
    return tokens, torch.tensor([len(text) for text in TEXTS])


def text_cnn_by_hand(network: TextCNN, words: list[int]) -> Tensor:
    """Return the logits of one text: each window is one product; over the end of the text it sees zeros."""
    vectors = torch.cat([network.embedding.weight[words], torch.zeros(max(WINDOWS) - 1, 8)])
    maxima = []
    for window, layer in zip(WINDOWS, network.filters, strict=True):
        answers = [
            torch.einsum("fdw,wd->f", layer.weight, vectors[start : start + window]) + layer.bias
            for start in range(len(words))
        ]
        maxima.append(torch.stack(answers).relu().amax(0))
    logits: Tensor = network.head(torch.cat(maxima))
    return logits


def test_text_cnn_equals_a_loop_over_its_windows() -> None:
    network = TextCNN(num_classes=3, vocab_size=50, embedding_dim=8, hidden=5).eval()
    expected = torch.stack([text_cnn_by_hand(network, text) for text in TEXTS])
    torch.testing.assert_close(network(*batch()), expected)


def dpcnn_by_hand(network: DPCNN, words: list[int]) -> Tensor:
    """Return the logits of one text without padding."""
    features = network.region(network.embedding.weight[words].T[None])
    for number, pair in enumerate(network.pairs):
        if number:
            features = F.max_pool1d(features, 3, stride=2, padding=1)
        features = features + pair.second(pair.first(features.relu()).relu())
    logits: Tensor = network.head(features.amax(2))[0]
    return logits


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_dpcnn_equals_its_layers_on_each_text_alone(layers: int) -> None:
    network = DPCNN(num_classes=3, vocab_size=50, embedding_dim=8, hidden=6, layers=layers).eval()
    expected = torch.stack([dpcnn_by_hand(network, text) for text in TEXTS])
    torch.testing.assert_close(network(*batch()), expected)
