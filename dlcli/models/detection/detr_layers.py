"""The layers of a small DETR: attention, position codes, and the decoder that refines boxes layer by layer.

Built on torch's scaled dot-product attention, whose bias has the shape that spatial attention needs, and which both
exporters support.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TEMPERATURE = 20.0
"""Ratio of the longest to the shortest wave, as in DAB-DETR: positions lie in [0, 1]."""

MIN_SIDE = 0.05
"""Below this part of the canvas, a reference box attends as if it were so large: a cell of stride 16 at 320 pixels."""


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, arXiv:1706.03762) with queries, keys and values of one width."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.merge = nn.Linear(width, width)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return (N, Q, width) for (N, Q, width) queries and (N, S, width) keys and values.

        The mask broadcasts to (N, heads, Q, S): bool (may attend) or added to the logits.
        """
        pairs = ((self.query, queries), (self.key, keys), (self.value, values))
        q, k, v = (layer(each).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer, each in pairs)
        merged: Tensor = self.merge(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2))
        return merged


class EncoderLayer(nn.Module):
    """Self-attention over the cells of a map, and a feed-forward layer, pre-norm."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.forwards = feed_forward(width, 4 * width, width, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, cells: Tensor, positions: Tensor) -> Tensor:
        """Return (N, S, width) cells for (N, S, width) cells and (S, width) position codes."""
        normed = self.norm1(cells)
        placed = normed + positions
        cells = cells + self.dropout(self.attention(placed, placed, normed))
        changed: Tensor = cells + self.dropout(self.forwards(self.norm2(cells)))
        return changed


class DecoderLayer(nn.Module):
    """Self-attention among queries, attention to the cells near each query's reference box, feed-forward; pre-norm.

    The logits of each head fall with the squared distance of a cell from the reference box's centre, in the box's
    widths and heights, at a rate that is learned. So attention is local from the first step on, where DETR needs
    hundreds of epochs to learn it.

    Source: Gao et al. 2021, SMCA, arXiv:2101.07448, with one centre for all heads.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.among, self.towards = Attention(width, heads), Attention(width, heads)
        self.forwards = feed_forward(width, 4 * width, width, dropout)
        self.dropout = nn.Dropout(dropout)
        self.focus = nn.Parameter(torch.linspace(-1.0, 2.0, heads))  # logarithms; some heads see far

    def forward(
        self,
        queries: Tensor,
        codes: Tensor,
        distances: Tensor,
        cells: Tensor,
        positions: Tensor,
        mask: Tensor | None,
    ) -> Tensor:
        """Return (N, Q, width) queries.

        Args:
            queries: (N, Q, width).
            codes: (N, Q, width) of their reference boxes.
            distances: (N, Q, S) squared distances of the cells from them.
            cells: (N, S, width).
            positions: (S, width) codes of the cells.
            mask: (Q, Q) bool, which queries attend to which; None for all to all.
        """
        normed = self.norm1(queries)
        placed = normed + codes
        queries = queries + self.dropout(self.among(placed, placed, normed, mask))
        bias = -self.focus.exp()[None, :, None, None] * distances[:, None]
        attended = self.towards(self.norm2(queries) + codes, cells + positions, cells, bias.to(cells.dtype))
        queries = queries + self.dropout(attended)
        changed: Tensor = queries + self.dropout(self.forwards(self.norm3(queries)))
        return changed


class Decoder(nn.Module):
    """Decoder layers that share their heads of classes and boxes; each refines the boxes of the one before it.

    Source: Liu et al. 2022, DAB-DETR, arXiv:2201.12329.
    """

    def __init__(self, width: int, heads: int, num_layers: int, num_classes: int, prior: float, dropout: float) -> None:
        super().__init__()
        self.code = feed_forward(2 * width, width, width, 0.0)
        self.layers = nn.ModuleList(DecoderLayer(width, heads, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(width)
        self.boxes = box_head(width)
        self.classes = class_head(width, num_classes, prior)

    def forward(
        self,
        queries: Tensor,
        references: Tensor,
        cells: Tensor,
        centres: Tensor,
        mask: Tensor | None = None,
    ) -> list[tuple[Tensor, Tensor]]:
        """Return (N, Q, C) logits and (N, Q, 4) boxes of every layer.

        Args:
            queries: (N, Q, width).
            references: (N, Q, 4) boxes cxcywh in [0, 1].
            cells: (N, S, width) of the map.
            centres: (S, 2) of the cells, x and y in [0, 1].
            mask: (Q, Q) bool, which queries attend to which; None for all to all.
        """
        width = queries.shape[2]
        positions = sine_codes(centres, width // 2)
        answers = []
        for layer in self.layers:
            codes = self.code(sine_codes(references, width // 2))
            sides = references[:, :, None, 2:].clamp(min=MIN_SIDE)
            distances = ((centres - references[:, :, None, :2]) / sides).square().sum(dim=3)
            queries = layer(queries, codes, distances, cells, positions, mask)
            normed = self.norm(queries)
            boxes = (logit(references) + self.boxes(normed)).sigmoid()
            answers.append((self.classes(normed), boxes))
            references = boxes.detach()
        return answers


def feed_forward(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    """Return two linear layers with a GELU between them."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, outputs))


def box_head(width: int) -> nn.Sequential:
    """Return a head of 4 changes to a reference box, which begin at 0."""
    last = nn.Linear(width, 4)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(width, width), nn.GELU(), last)


def class_head(width: int, num_classes: int, prior: float) -> nn.Linear:
    """Return a head of logits that begin near those of the probability `prior`."""
    layer = nn.Linear(width, num_classes)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.constant_(layer.bias, -math.log((1 - prior) / prior))
    return layer


def sine_codes(values: Tensor, size: int) -> Tensor:
    """Return (..., P * size) sines and cosines of (..., P) values in [0, 1]; `size` is even."""
    exponents = torch.arange(size // 2, device=values.device, dtype=torch.float32) / (size // 2)
    phases = values[..., None] * (2 * math.pi * TEMPERATURE**-exponents) * (TEMPERATURE / 2)
    return torch.stack([phases.sin(), phases.cos()], dim=-1).flatten(-3)


def logit(values: Tensor) -> Tensor:
    """Return the inverse of the sigmoid of values in [0, 1], which is bounded by that of 1e-4."""
    return torch.logit(values, eps=1e-4)
