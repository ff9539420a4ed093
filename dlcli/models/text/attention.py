"""An LSTM that classifies by an attention-weighted sum of its states."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dlcli.models.text.masking import is_token, new_embedding
from dlcli.models.text.recurrent import Recurrent


@runtime_checkable
class Attends(Protocol):
    """A text network that reports how much it attends to each token."""

    def __call__(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (N, C) logits for (N, T) int64 tokens and (N,) int64 lengths."""
        ...

    def attention(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (N, T) weights of the tokens in [0, 1], 0 on padding, summing to 1 for each text."""
        ...


class LSTMAttention(nn.Module):
    """Bidirectional LSTM, one learned query over its states, a linear layer.

    Source: Zhou et al. 2016, "Attention-Based Bidirectional LSTM Networks for Relation Classification", ACL P16-2034.
    The paper adds the states of the two directions; here they are concatenated.
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
        self.query = nn.Linear(2 * hidden, 1, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * hidden, num_classes)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (N, C) logits for (N, T) tokens and (N,) lengths."""
        states, weights = self._attend(tokens, lengths)
        summary = torch.tanh((states.float() * weights[:, :, None]).sum(dim=1))
        logits: Tensor = self.head(self.dropout(summary))
        return logits

    def attention(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the weight of each token, (N, T): 0 on padding, summing to 1 for each text."""
        return self._attend(tokens, lengths)[1]

    def _attend(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        mask = is_token(tokens, lengths)
        states, _ = self.recurrent(self.dropout(self.embedding(tokens)), lengths)
        scores = self.query(torch.tanh(states))[:, :, 0].float()
        weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=1)
        return states.masked_fill(~mask[:, :, None], 0.0), weights
