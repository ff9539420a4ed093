"""Convolutions over the words of a text."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.text.masking import is_token, new_embedding

WINDOWS = (3, 4, 5)
"""Widths of TextCNN's filters, in words (Kim 2014, section 3.1)."""


class TextCNN(nn.Module):
    """Filters over 3, 4 and 5 words, the maximum of each over the text, a linear layer.

    A window may extend beyond the end of the text, where it sees zeros, so that a one-word text has windows too.

    Source: Kim 2014, arXiv:1408.5882.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        vocab_size: int,
        embedding_dim: int = 128,
        hidden: int = 100,
        dropout: float = 0.5,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = new_embedding(vocab_size, embedding_dim, sparse=sparse)
        self.filters = nn.ModuleList(nn.Conv1d(embedding_dim, hidden, window) for window in WINDOWS)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden * len(WINDOWS), num_classes)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (N, C) logits for (N, T) tokens and (N,) lengths."""
        mask = is_token(tokens, lengths)[:, None]
        words = self.embedding(tokens).transpose(1, 2).masked_fill(~mask, 0.0)
        maxima = []
        for window, layer in zip(WINDOWS, self.filters, strict=True):
            features = F.relu(layer(F.pad(words, (0, window - 1))))  # one window per word, which starts at that word
            maxima.append(features.masked_fill(~mask, 0.0).amax(dim=2))  # after ReLU no value is below 0
        logits: Tensor = self.head(self.dropout(torch.cat(maxima, dim=1)))
        return logits


class DPCNN(nn.Module):
    """Pairs of convolutions with shortcuts; between pairs the sequence is halved, so that the receptive field doubles.

    Source: Johnson & Zhang 2017, "Deep Pyramid Convolutional Neural Networks for Text Categorization", ACL P17-1052.
    The paper repeats this until one position is left; here the number of pairs is fixed, followed by a global maximum.

    Args:
        layers: number of pairs of convolutions after the first.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        vocab_size: int,
        embedding_dim: int = 128,
        hidden: int = 128,
        layers: int = 4,
        dropout: float = 0.5,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = new_embedding(vocab_size, embedding_dim, sparse=sparse)
        self.region = nn.Conv1d(embedding_dim, hidden, 3, padding=1)
        self.pairs = nn.ModuleList(_Pair(hidden) for _ in range(layers + 1))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, num_classes)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (N, C) logits for (N, T) tokens and (N,) lengths."""
        mask = is_token(tokens, lengths)[:, None]
        words = self.dropout(self.embedding(tokens)).transpose(1, 2).masked_fill(~mask, 0.0)
        features = self.region(words).masked_fill(~mask, 0.0)
        for number, pair in enumerate(self.pairs):
            if number:
                features = _halved(features.masked_fill(~mask, float("-inf")))
                mask = mask[:, :, ::2]
                features = features.masked_fill(~mask, 0.0)
            features = pair(features, mask)
        summary = features.masked_fill(~mask, float("-inf")).amax(dim=2)
        logits: Tensor = self.head(self.dropout(summary))
        return logits


def _halved(features: Tensor) -> Tensor:
    """Return the maxima around every second position; 2-D, since torch.export fixes the length for max_pool1d."""
    maxima: Tensor = F.max_pool2d(features[:, :, None], (1, 3), stride=(1, 2), padding=(0, 1))
    return maxima[:, :, 0]


class _Pair(nn.Module):
    """Two convolutions of width 3, ReLU before each, and a shortcut; padding stays zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, channels, 3, padding=1)
        self.second = nn.Conv1d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        inner = self.first(F.relu(features)).masked_fill(~mask, 0.0)
        outer: Tensor = self.second(F.relu(inner)).masked_fill(~mask, 0.0)
        return features + outer
