"""The first neural language model: a window of words."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.language.model import BOUNDARY, OutputLayer, score
from dlcli.models.text.masking import new_embedding


class FeedForwardLanguageModel(nn.Module):
    """See `dlcli.models.language.model.LanguageModel`: the vectors of the last words, a hidden layer, an output layer.

    The state holds the words that are still to be looked at, (N, order - 2) int64.

    Source: Bengio et al. 2003, "A Neural Probabilistic Language Model", JMLR 3; without its direct connections.

    Args:
        order: a word is predicted from the `order` - 1 before it.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        embedding_dim: int = 128,
        hidden: int = 256,
        order: int = 5,
        dropout: float = 0.3,
        tied: bool = True,
    ) -> None:
        super().__init__()
        self.num_words = max(order - 1, 1)
        self.embedding = new_embedding(vocab_size, embedding_dim, sparse=False, padding=None)
        self.widen = nn.Linear(self.num_words * embedding_dim, hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = OutputLayer(hidden, self.embedding, tied=tied)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (N, T + 1) log-probabilities for (N, T) tokens and (N,) lengths."""
        return score(self, tokens, lengths)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return (N, T, V) logits for (N, T) inputs."""
        count = inputs.shape[1]
        padded = F.pad(inputs, (self.num_words - 1, 0), value=BOUNDARY)
        windows = torch.stack([padded[:, place : place + count] for place in range(self.num_words)], dim=2)
        return self._of_windows(windows)

    def start(self, tokens: Tensor) -> Tensor:
        """Return (N, order - 2) boundaries: nothing is said before a text."""
        return torch.zeros(tokens.shape[0], self.num_words - 1, dtype=torch.int64, device=tokens.device)

    def step(self, last: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, V) log-probabilities and the new (N, order - 2) state."""
        window = torch.cat([state, last[:, None]], dim=1)
        return self._of_windows(window[:, None])[:, 0].float().log_softmax(1), window[:, 1:]

    def _of_windows(self, windows: Tensor) -> Tensor:
        """Return the (N, T, V) logits of what follows (N, T, order - 1) words."""
        vectors = self.dropout(self.embedding(windows)).flatten(2)
        logits: Tensor = self.output(self.dropout(torch.tanh(self.widen(vectors))), self.embedding)
        return logits
