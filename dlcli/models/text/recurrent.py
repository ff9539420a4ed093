"""Recurrent networks for texts.

No packed sequences: the layers run over whole batches and the last state is gathered by length. With batches of similar
length this is 3.5x faster on a CPU, and both ONNX exporters support it. A backward layer reads each text reversed
within its length.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from dlcli.models.text.masking import is_token, masked_max, new_embedding

KINDS: dict[str, type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(nn.Module):
    """Stacked recurrent layers, in one direction or both.

    Args:
        kind: rnn (tanh), gru or lstm.
        in_features: size of the inputs.
        hidden: size of the state of each direction.
        layers: number of layers.
        bidirectional: whether each layer reads the text in both directions.
        dropout: between layers.
    """

    def __init__(
        self, kind: str, in_features: int, hidden: int, *, layers: int, bidirectional: bool, dropout: float
    ) -> None:
        super().__init__()
        self.out_features = hidden * (1 + bidirectional)
        sizes = [in_features] + [self.out_features] * (layers - 1)
        self.forwards = nn.ModuleList(KINDS[kind](size, hidden, batch_first=True) for size in sizes)
        backwards = sizes if bidirectional else []
        self.backwards = nn.ModuleList(KINDS[kind](size, hidden, batch_first=True) for size in backwards)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states of the top layer, and their last ones.

        Args:
            features: (N, T, E) inputs.
            lengths: (N,) int64.

        Returns:
            (N, T, F) states, undefined on padding, and (N, F), the concatenated last state of each direction.
        """
        last = (lengths - 1)[:, None]
        turned = (last - torch.arange(features.shape[1], device=features.device)).clamp(min=0)
        for number, layer in enumerate(self.forwards):
            inputs = self.dropout(features) if number else features
            features = layer(inputs)[0]
            end = _at(features, last)
            if len(self.backwards):
                states = self.backwards[number](_at(inputs, turned))[0]
                end = torch.cat([end, _at(states, last)], dim=2)
                features = torch.cat([features, _at(states, turned)], dim=2)
        return features, end[:, 0]


def _at(features: Tensor, places: Tensor) -> Tensor:
    """Return the features (N, K, F) at the positions (N, K) of (N, T, F) sequences."""
    return features.gather(1, places[:, :, None].expand(-1, -1, features.shape[2]))


class RNNClassifier(nn.Module):
    """Word vectors, recurrent layers, the last state, a linear layer.

    Args:
        kind: rnn (Elman 1990), gru (Cho et al. 2014, arXiv:1406.1078) or lstm (Hochreiter & Schmidhuber 1997).
    """

    def __init__(
        self,
        kind: str,
        *,
        num_classes: int,
        vocab_size: int,
        embedding_dim: int = 128,
        hidden: int = 128,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.3,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = new_embedding(vocab_size, embedding_dim, sparse=sparse)
        self.recurrent = Recurrent(
            kind, embedding_dim, hidden, layers=layers, bidirectional=bidirectional, dropout=dropout
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.recurrent.out_features, num_classes)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (N, C) logits for (N, T) tokens and (N,) lengths."""
        _, last = self.recurrent(self.dropout(self.embedding(tokens)), lengths)
        logits: Tensor = self.head(self.dropout(last))
        return logits


rnn = functools.partial(RNNClassifier, "rnn")
gru = functools.partial(RNNClassifier, "gru")
lstm = functools.partial(RNNClassifier, "lstm")


class TextRCNN(nn.Module):
    """Each word vector joined with its left and right context, and the maximum over the text.

    Source: Lai et al. 2015, "Recurrent Convolutional Neural Networks for Text Classification", AAAI; with an LSTM
    instead of the plain recurrence, as is usual.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        vocab_size: int,
        embedding_dim: int = 128,
        hidden: int = 128,
        layers: int = 1,
        dropout: float = 0.3,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = new_embedding(vocab_size, embedding_dim, sparse=sparse)
        self.recurrent = Recurrent("lstm", embedding_dim, hidden, layers=layers, bidirectional=True, dropout=dropout)
        self.mix = nn.Linear(embedding_dim + 2 * hidden, 2 * hidden)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * hidden, num_classes)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (N, C) logits for (N, T) tokens and (N,) lengths."""
        words = self.dropout(self.embedding(tokens))
        states, _ = self.recurrent(words, lengths)
        features = torch.tanh(self.mix(torch.cat([states, words.to(states.dtype)], dim=2)))
        logits: Tensor = self.head(self.dropout(masked_max(features, is_token(tokens, lengths))))
        return logits
