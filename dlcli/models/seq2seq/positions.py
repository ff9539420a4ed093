"""How a transformer knows where a token stands: sinusoids or learned vectors that are added, or rotated queries."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

POSITIONS = ("sinusoidal", "learned", "rotary")


def sinusoids(num: int, size: int) -> Tensor:
    """Return (num, size) float32 codes, sine and cosine in turn, of amplitude 1 (arXiv:1706.03762, section 3.5)."""
    rates = torch.exp(torch.arange(0, size, 2) * (-math.log(10_000.0) / size))
    angles = torch.arange(num)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :size]


class AddedPositions(nn.Module):
    """Adds a vector for its place to each token.

    Args:
        kind: sinusoidal, or learned.
        num: the number of places.
        width: the size of a vector.
    """

    def __init__(self, kind: str, num: int, width: int) -> None:
        super().__init__()
        if kind == "learned":
            # As large as the vectors of tokens before `embed` scales them (fairseq's initialisation).
            self.codes = nn.Parameter(torch.randn(num, width) * width**-0.5)
        else:
            self.register_buffer("codes", sinusoids(num, width), persistent=False)

    def forward(self, states: Tensor, places: Tensor) -> Tensor:
        """Return (..., T, width) states with the codes of their (T,) int64 places added."""
        return states + self.codes[places]


class Rotary(nn.Module):
    """Rotates pairs of features of queries and keys by angles that grow with the place.

    A product of query and key then depends only on their distance. Source: Su et al. 2021, arXiv:2104.09864.

    Args:
        num: the number of places.
        size: the size of a head; even.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, num: int, size: int) -> None:
        super().__init__()
        rates = torch.exp(torch.arange(0, size, 2) * (-math.log(10_000.0) / size))
        angles = torch.arange(num)[:, None] * rates
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, features: Tensor, places: Tensor) -> Tensor:
        """Return (..., T, size) queries or keys, rotated for their (T,) int64 places."""
        first, second = features.chunk(2, dim=-1)
        cos, sin = self.cos[places], self.sin[places]
        return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1).to(features.dtype)
