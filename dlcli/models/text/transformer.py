"""A transformer encoder over the words of a text."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.models.text.masking import is_token, masked_mean, new_embedding


class TextTransformer(nn.Module):
    """Word vectors plus position codes, pre-norm encoder layers, the mean of the states, a linear layer.

    Built on torch's attention instead of `nn.TransformerEncoder`, whose fast path no exporter supports.

    Source: Vaswani et al. 2017, arXiv:1706.03762; pre-norm as in Xiong et al. 2020, arXiv:2002.04745, which needs no
    long warm-up.

    Args:
        embedding_dim: size of the states, a multiple of `heads`.
        hidden: size of the feed-forward layer (default: four times the states).
        max_length: maximum number of tokens; a longer text is a shape error.

    Raises:
        UsageError: `embedding_dim` is not a multiple of `heads`.
    """

    places: Tensor

    def __init__(
        self,
        *,
        num_classes: int,
        vocab_size: int,
        embedding_dim: int = 128,
        hidden: int | None = None,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.2,
        max_length: int = 256,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        if embedding_dim % heads:
            raise UsageError(
                f"a transformer of {heads} heads cannot have states of {embedding_dim}",
                hint=f"set --embedding-dim to a multiple of {heads}",
            )
        self.embedding = new_embedding(vocab_size, embedding_dim, sparse=sparse)
        self.register_buffer("places", sinusoids(max_length, embedding_dim), persistent=False)
        inner = hidden or 4 * embedding_dim
        self.layers = nn.ModuleList(AttentionLayer(embedding_dim, inner, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(embedding_dim)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(embedding_dim, num_classes)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (N, C) logits for (N, T) tokens and (N,) lengths; T is at most `max_length`."""
        mask = is_token(tokens, lengths)
        seen = mask[:, None, None]
        # Word vectors start with a norm of about 1, and the position codes are scaled to match.
        states = self.dropout(self.embedding(tokens) + self.places[: tokens.shape[1]])
        for layer in self.layers:
            states = layer(states, seen)
        logits: Tensor = self.head(self.dropout(masked_mean(self.norm(states), mask)))
        return logits


class AttentionLayer(nn.Module):
    """A pre-norm layer of attention among the states of a text, and a feed-forward layer.

    Shapes: N texts of T states, H heads of size D, S states that are looked at.
    """

    def __init__(self, size: int, inner: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.project = nn.Linear(size, 3 * size)
        self.merge = nn.Linear(size, size)
        self.widen, self.narrow = nn.Linear(size, inner), nn.Linear(inner, size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return the (N, T, size) states above (N, T, size) states.

        Args:
            states: the states below.
            mask: bool, broadcast to (N, H, T, S): which states each state looks at.
        """
        return self._above(states, *self._split(states), mask)

    def step(self, states: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (N, 1, size) state above the newest of a text, and the (N, 2, H, T + 1, D) new cache.

        Args:
            states: (N, 1, size) the newest state below.
            cache: (N, 2, H, T, D) keys and values of the T before it.
        """
        queries, keys, values = self._split(states)
        cache = torch.cat([cache, torch.stack([keys, values], dim=1)], dim=3)
        return self._above(states, queries, cache[:, 0], cache[:, 1], None), cache

    def weights(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return how much each state looks at each, (N, H, T, S); see `forward`."""
        queries, keys, _ = self._split(states)
        scores = queries @ keys.transpose(2, 3) / queries.shape[3] ** 0.5
        weights: Tensor = scores.float().masked_fill(~mask, float("-inf")).softmax(3)
        return weights

    def _split(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, (N, H, T, D) each."""
        queries, keys, values = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in self.project(self.norm1(states)).chunk(3, dim=2)
        )
        return queries, keys, values

    def _above(self, states: Tensor, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        attended = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        states = states + self.dropout(self.merge(attended.transpose(1, 2).flatten(2)))
        change: Tensor = self.dropout(self.narrow(F.gelu(self.widen(self.norm2(states)))))
        return states + change


def sinusoids(num: int, size: int) -> Tensor:
    """Return (num, size) float32 position codes, each of about the norm of a new word vector.

    Source: section 3.5 of arXiv:1706.03762.
    """
    rates = torch.exp(torch.arange(0, size, 2) * (-math.log(10_000.0) / size))
    angles = torch.arange(num)[:, None] * rates
    codes = torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :size]
    return codes * 0.1
