"""How a transformer knows where a token stands: sinusoids or learned vectors that are added, or rotated queries."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def angles_of(places: Tensor, rates: Tensor) -> Tensor:
    """Return the angles of (T,) int64 places at (R,) rates, (T, R) float32.

    They are computed as they are needed: a table would bound the length of a sentence, and stand in every export.
    """
    return places[:, None].float() * rates


def rates_of(size: int) -> Tensor:
    """Return the (ceil(size / 2),) float32 rates of sinusoids (arXiv:1706.03762, section 3.5)."""
    return torch.exp(torch.arange(0, size, 2) * (-math.log(10_000.0) / size))


class Sinusoids(nn.Module):
    """Adds a sine and a cosine in turn, of amplitude 1, to the features of a token, by its place.

    Source: section 3.5 of arXiv:1706.03762.
    """

    rates: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("rates", rates_of(width), persistent=False)

    def forward(self, states: Tensor, places: Tensor) -> Tensor:
        """Return (..., T, width) states with the codes of their (T,) int64 places added."""
        angles = angles_of(places, self.rates)
        codes = torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
        return states + codes[:, : states.shape[-1]]


class LearnedPositions(nn.Module):
    """Adds a learned vector for its place to each token; places beyond the last one share its vector.

    Args:
        num: the number of places.
        width: the size of a vector.
    """

    def __init__(self, num: int, width: int) -> None:
        super().__init__()
        # As large as the vectors of tokens before `embed` scales them (fairseq's initialisation).
        self.codes = nn.Parameter(torch.randn(num, width) * width**-0.5)

    def forward(self, states: Tensor, places: Tensor) -> Tensor:
        """Return (..., T, width) states with the codes of their (T,) int64 places added."""
        return states + self.codes[places.clamp(max=len(self.codes) - 1)]


class Rotary(nn.Module):
    """Rotates pairs of features of queries and keys by angles that grow with the place.

    A product of query and key then depends only on their distance. Source: Su et al. 2021, arXiv:2104.09864.

    Args:
        size: the size of a head; even.
    """

    rates: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("rates", rates_of(size), persistent=False)

    def forward(self, features: Tensor, places: Tensor) -> Tensor:
        """Return (..., T, size) queries or keys, rotated for their (T,) int64 places."""
        first, second = features.chunk(2, dim=-1)
        angles = angles_of(places, self.rates)
        cos, sin = angles.cos(), angles.sin()
        return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1).to(features.dtype)
