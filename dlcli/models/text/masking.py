"""What padding is, and how it is kept out of means, maxima and convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EMBEDDING_STD = 0.1
"""Of new word vectors: torch's 1 lets the noise of rare words drown the others for the first epochs."""


def new_embedding(num: int, size: int, *, sparse: bool, padding: int | None = 0) -> nn.Embedding:
    """Return new vectors, those of the padding zero; with `sparse` only the rows of a batch get gradients."""
    embedding = nn.Embedding(num, size, padding_idx=padding, sparse=sparse)
    with torch.no_grad():
        embedding.weight.mul_(EMBEDDING_STD)
    return embedding


def is_token(tokens: Tensor, lengths: Tensor) -> Tensor:
    """Return which places of (N, T) tokens hold one, (N, T) bool."""
    return torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]


def masked_max(features: Tensor, mask: Tensor) -> Tensor:
    """Return the maximum of (N, T, F) features over the places of the mask, (N, F)."""
    return features.masked_fill(~mask[:, :, None], float("-inf")).amax(dim=1)


def masked_mean(features: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of (N, T, F) features over the places of the mask, (N, F); each text has one at least."""
    total = features.masked_fill(~mask[:, :, None], 0.0).sum(dim=1)
    return total / mask.sum(dim=1, keepdim=True).to(total.dtype)
