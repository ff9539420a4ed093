"""Masks of padding, and means and maxima that exclude it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EMBEDDING_STD = 0.1
"""Standard deviation of new word vectors: with torch's 1, noise from rare words dominates the first epochs."""


def new_embedding(num: int, size: int, *, sparse: bool, padding: int | None = 0) -> nn.Embedding:
    """Return a new embedding.

    Args:
        num: number of vectors.
        size: dimension of each.
        sparse: give gradients only to the rows that a batch uses.
        padding: row that is zero and gets no gradient; None for none.
    """
    embedding = nn.Embedding(num, size, padding_idx=padding, sparse=sparse)
    with torch.no_grad():
        embedding.weight.mul_(EMBEDDING_STD)
    return embedding


def is_token(tokens: Tensor, lengths: Tensor) -> Tensor:
    """Return the mask of tokens that are not padding, (N, T) bool, for (N, T) tokens and (N,) lengths."""
    return torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]


def masked_max(features: Tensor, mask: Tensor) -> Tensor:
    """Return the maximum of (N, T, F) features where the (N, T) mask is true, (N, F)."""
    return features.masked_fill(~mask[:, :, None], float("-inf")).amax(dim=1)


def masked_mean(features: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of (N, T, F) features where the (N, T) mask is true, at least once per text, (N, F)."""
    total = features.masked_fill(~mask[:, :, None], 0.0).sum(dim=1)
    return total / mask.sum(dim=1, keepdim=True).to(total.dtype)
