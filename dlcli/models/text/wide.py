"""A wide linear path over hashed n-grams beside a small path over word vectors, trained together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.models.text.masking import is_token, masked_max, masked_mean, new_embedding
from dlcli.models.text.ngrams import TfIdfLinear

WORD_DROPOUT = 0.3
"""The rate at which words are left out in training, so that no single one decides."""


class PooledWords(nn.Module):
    """The mean and the maximum of the word vectors, and a linear layer.

    Source: Shen et al. 2018, arXiv:1805.09843, "concatenated" pooling.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        vocab_size: int,
        embedding_dim: int,
        dropout: float,
        word_dropout: float,
        sparse: bool,
    ) -> None:
        super().__init__()
        self.embedding = new_embedding(vocab_size, embedding_dim, sparse=sparse)
        self.word_dropout = word_dropout
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * embedding_dim, num_classes)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (N, C) logits for (N, T) tokens and (N,) lengths."""
        mask = is_token(tokens, lengths)
        if self.training and self.word_dropout:
            tokens = tokens.masked_fill(torch.rand(tokens.shape, device=tokens.device) < self.word_dropout, 0)
        vectors = self.embedding(tokens.masked_fill(~mask, 0))
        pooled = torch.cat([masked_mean(vectors, mask), masked_max(vectors, mask)], dim=1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


class WideDeep(nn.Module):
    """Logistic regression on n-grams of characters and words, and word vectors: the sum of their logits.

    The wide path remembers, the deep one generalises (Cheng et al. 2016, arXiv:1606.07792). On texts the wide path does
    most of the work: n-grams of three characters and of two words beside the floor's.

    Args:
        num_classes: number of classes.
        vocab_size: number of words.
        embedding_dim: size of the word vectors.
        dropout: dropout of the deep path.
        sparse: give gradients only to the rows that a batch uses.
        buckets: number of rows that n-grams share; by default as many as suit the classes.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        vocab_size: int,
        embedding_dim: int = 64,
        dropout: float = 0.5,
        sparse: bool = False,
        buckets: int | None = None,
    ) -> None:
        super().__init__()
        self.wide = TfIdfLinear(
            num_classes=num_classes,
            vocab_size=vocab_size,
            sparse=sparse,
            characters=(1, 2, 3),
            words=(1, 2),
            inverse_penalty=2.0,
            buckets=buckets,
        )
        self.deep = PooledWords(
            num_classes=num_classes,
            vocab_size=vocab_size,
            embedding_dim=embedding_dim,
            dropout=dropout,
            word_dropout=WORD_DROPOUT if dropout else 0.0,
            sparse=sparse,
        )

    @property
    def embedding(self) -> nn.Embedding:
        """The word vectors."""
        return self.deep.embedding

    def forward(self, tokens: Tensor, lengths: Tensor, characters: Tensor, character_lengths: Tensor) -> Tensor:
        """Return (N, C) logits for (N, T) tokens, (N, S) characters and their numbers, (N,) each."""
        wide: Tensor = self.wide(tokens, lengths, characters, character_lengths)
        deep: Tensor = self.deep(tokens, lengths)
        return wide + deep
