"""The layers of a transformer that translates.

Shapes: N sentences, K hypotheses of each (1 in training), S source and T target tokens, H heads of size D.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.dropout import BitDropout
from dlcli.models.seq2seq.positions import Rotary


class Residual(nn.Module):
    """The norm and the dropout around a change of the states.

    Args:
        width: the size of a state.
        dropout: of the change.
        is_post: norm the sum, as Vaswani et al. did (arXiv:1706.03762), instead of what the change is computed from
            (Xiong et al. 2020, arXiv:2002.04745), which trains without a long warm-up.
    """

    def __init__(self, width: int, dropout: float, *, is_post: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.dropout = BitDropout(dropout)
        self.is_post = is_post

    def enter(self, states: Tensor) -> Tensor:
        """Return what the change is computed from."""
        return states if self.is_post else self.norm(states)

    def leave(self, states: Tensor, change: Tensor) -> Tensor:
        """Return the changed states."""
        states = states + self.dropout(change)
        return self.norm(states) if self.is_post else states


class FeedForward(nn.Module):
    """Two linear layers with a ReLU and dropout between them, and their residual."""

    def __init__(self, width: int, inner: int, dropout: float, *, is_post: bool) -> None:
        super().__init__()
        self.residual = Residual(width, dropout, is_post=is_post)
        self.widen, self.narrow = nn.Linear(width, inner), nn.Linear(inner, width)
        self.dropout = BitDropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """Return new states of the same shape."""
        inner = self.dropout(F.relu(self.widen(self.residual.enter(states))))
        return self.residual.leave(states, self.narrow(inner))


class SelfAttention(nn.Module):
    """Attention of a sequence to itself, and its residual.

    The weights themselves have no dropout: on a CPU it would replace torch's fused attention by three products.
    """

    def __init__(self, width: int, heads: int, dropout: float, *, is_post: bool, rotary: Rotary | None) -> None:
        super().__init__()
        self.heads = heads
        self.residual = Residual(width, dropout, is_post=is_post)
        self.project = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.rotary = rotary

    def _projected(self, states: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = self.project(self.residual.enter(states)).chunk(3, dim=2)
        queries, keys, values = (split_heads(part, self.heads) for part in parts)
        if self.rotary is not None:
            queries, keys = self.rotary(queries, places), self.rotary(keys, places)
        return queries, keys, values

    def forward(self, states: Tensor, places: Tensor, mask: Tensor | None) -> Tensor:
        """Return new states of (N, T, width) states.

        Args:
            states: the sequence.
            places: (T,) int64 where its tokens stand.
            mask: (N, 1, 1, T) bool, which tokens may be attended to; None if each sees itself and those before it,
                for which padding at the end needs no mask.
        """
        queries, keys, values = self._projected(states, places)
        attended = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, is_causal=mask is None)
        return self.residual.leave(states, self.merge(join_heads(attended)))

    def step(self, states: Tensor, place: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new (N, K, width) states of hypotheses, and their newest keys and values, (N, K, 2, H, 1, D).

        Args:
            states: (N, K, width) of the newest tokens.
            place: (1,) int64 where they stand.
            past: (N, K, 2, H, T, D) the keys and the values of the tokens before them; T may be 0.
        """
        queries, keys, values = self._projected(states.flatten(0, 1)[:, None], place)
        newest = torch.stack([keys, values], dim=1).view(*states.shape[:2], 2, self.heads, 1, -1)
        # The empty past is never reshaped: ONNX's Reshape reads a size of 0 as "the size before".
        keys, values = torch.cat([past, newest], dim=4).flatten(0, 1).unbind(1)
        attended = join_heads(F.scaled_dot_product_attention(queries, keys, values)).view(states.shape)
        return self.residual.leave(states, self.merge(attended)), newest


class CrossAttention(nn.Module):
    """Attention of target states to the keys and values of a source sentence, and its residual."""

    def __init__(self, width: int, heads: int, dropout: float, *, is_post: bool) -> None:
        super().__init__()
        self.heads = heads
        self.residual = Residual(width, dropout, is_post=is_post)
        self.query = nn.Linear(width, width)
        self.merge = nn.Linear(width, width)

    def forward(self, states: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        """Return new states of (N, Q, width) states: Q are the target tokens, or the hypotheses of a sentence.

        Args:
            states: the queries come from them.
            context: (N, 2, H, S, D) keys and values.
            mask: (N, 1, 1, S) bool, which source tokens may be attended to.
        """
        keys, values = context.unbind(1)
        attended = F.scaled_dot_product_attention(self._queries(states), keys, values, attn_mask=mask)
        return self.residual.leave(states, self.merge(join_heads(attended)))

    def weights(self, states: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        """Return the weights that `forward` uses, (N, H, Q, S)."""
        queries = self._queries(states)
        scores = queries @ context[:, 0].transpose(2, 3) / queries.shape[3] ** 0.5
        weights: Tensor = scores.float().masked_fill(~mask, float("-inf")).softmax(dim=3)
        return weights

    def _queries(self, states: Tensor) -> Tensor:
        return split_heads(self.query(self.residual.enter(states)), self.heads)


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward layer."""

    def __init__(
        self, width: int, inner: int, heads: int, dropout: float, *, is_post: bool, rotary: Rotary | None
    ) -> None:
        super().__init__()
        self.own = SelfAttention(width, heads, dropout, is_post=is_post, rotary=rotary)
        self.inner = FeedForward(width, inner, dropout, is_post=is_post)

    def forward(self, states: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        """Return new states; see `SelfAttention.forward`."""
        changed: Tensor = self.inner(self.own(states, places, mask))
        return changed


class DecoderLayer(nn.Module):
    """Self-attention to what has been said, attention to the source, and a feed-forward layer."""

    def __init__(
        self, width: int, inner: int, heads: int, dropout: float, *, is_post: bool, rotary: Rotary | None
    ) -> None:
        super().__init__()
        self.own = SelfAttention(width, heads, dropout, is_post=is_post, rotary=rotary)
        self.cross = CrossAttention(width, heads, dropout, is_post=is_post)
        self.inner = FeedForward(width, inner, dropout, is_post=is_post)

    def forward(self, states: Tensor, places: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        """Return new states of (N, T, width) states; see `CrossAttention.forward`."""
        changed: Tensor = self.inner(self.cross(self.own(states, places, None), context, mask))
        return changed

    def step(self, states: Tensor, place: Tensor, past: Tensor, context: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return new states of (N, K, width) states, and the newest keys and values, (N, K, 2, H, 1, D).

        Args:
            states: of the newest token of each hypothesis.
            place: (1,) int64 where it stands.
            past: (N, K, 2, H, T, D) keys and values of the tokens before it.
            context, mask: as in `CrossAttention.forward`.
        """
        changed, newest = self.own.step(states, place, past)
        return self.inner(self.cross(changed, context, mask)), newest


def split_heads(features: Tensor, heads: int) -> Tensor:
    """Return (N, T, width) features as (N, heads, T, width / heads)."""
    return torch.unflatten(features, 2, (heads, -1)).transpose(1, 2)


def join_heads(features: Tensor) -> Tensor:
    """Return (N, heads, T, D) features as (N, T, heads * D)."""
    return features.transpose(1, 2).flatten(2)
