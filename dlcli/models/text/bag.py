"""The mean of the vectors of words, word pairs and triples: the baseline that deeper networks have to beat."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.text.masking import is_token, new_embedding

BUCKETS = 1 << 17
"""Number of vectors shared by all pairs; triples share the same number."""

PRIMES = (1_000_003, 15_485_863, 32_452_843)
"""Hash factors. Token ids are below 2**23, so the sum stays below 2**50; its remainder is the same everywhere."""


class FastText(nn.Module):
    """The mean of the vectors of words, pairs and triples, and a linear layer; pairs and triples share vectors by hash.

    Source: Joulin et al. 2016, arXiv:1607.01759.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        vocab_size: int,
        embedding_dim: int = 64,
        dropout: float = 0.3,
        sparse: bool = False,
        buckets: int = BUCKETS,
    ) -> None:
        super().__init__()
        self.buckets = buckets
        self.embedding = new_embedding(vocab_size, embedding_dim, sparse=sparse)
        self.pairs = new_embedding(buckets + 1, embedding_dim, sparse=sparse)
        self.triples = new_embedding(buckets + 1, embedding_dim, sparse=sparse)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(embedding_dim, num_classes)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (N, C) logits for (N, T) tokens and (N,) lengths."""
        ahead = F.pad(tokens, (0, 2))
        second, third = ahead[:, 1:-1], ahead[:, 2:]
        pairs = tokens * PRIMES[0] + second * PRIMES[1]
        triples = pairs + third * PRIMES[2]
        total = (
            _sum(self.embedding, tokens, is_token(tokens, lengths))
            + _sum(self.pairs, torch.remainder(pairs, self.buckets) + 1, is_token(tokens, lengths - 1))
            + _sum(self.triples, torch.remainder(triples, self.buckets) + 1, is_token(tokens, lengths - 2))
        )
        count = lengths + (lengths - 1).clamp(min=0) + (lengths - 2).clamp(min=0)
        logits: Tensor = self.head(self.dropout(total / count[:, None].to(total.dtype)))
        return logits


def _sum(vectors: nn.Embedding, rows: Tensor, mask: Tensor) -> Tensor:
    # Row 0 is zero and gets no gradient; any other row that padding pointed to would be stepped by a lazy optimizer.
    summands: Tensor = vectors(rows.masked_fill(~mask, 0))
    return summands.sum(dim=1)
