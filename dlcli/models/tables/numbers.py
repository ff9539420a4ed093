"""Numbers of a table to features; the columns' statistics are buffers, so that exports include them.

Missing values are imputed by the median, and every encoding begins with the standardised number. Bins between quantiles
of the training split let a perceptron learn the step functions that trees are good at, and waves let it learn what
changes quickly (Gorishniy et al. 2022, arXiv:2203.05556).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

NEVER = 3e38
"""Start of a bin that no number reaches: columns with fewer bins than others are padded with such bins."""


@dataclass(frozen=True)
class NumericScale:
    """Preprocessing of a numeric column.

    Attributes:
        median: replaces missing values.
        mean, std: what is subtracted, and what the difference is divided by: of the training split, or in their place
            its median and the distance between its quartiles. std is above 0.
        edges: edges of the bins, increasing; () for no bins.
    """

    median: float
    mean: float
    std: float
    edges: tuple[float, ...] = ()


class NumericInputs(nn.Module):
    """Encodes each number as itself, standardised, and as how far it reaches into each bin of its column.

    Args:
        scales: one per numeric column.
        limit: L, the bound that a standardised number z smoothly approaches, z / sqrt(1 + (z / L)^2); None for none.

    Source of the bound: Holzmueller et al. 2024, arXiv:2407.04491, with L = 3.
    """

    median: Tensor
    mean: Tensor
    std: Tensor
    low: Tensor
    width: Tensor

    def __init__(self, scales: Sequence[NumericScale], limit: float | None = None) -> None:
        super().__init__()
        self.limit = limit
        bins = [[(low, high - low) for low, high in itertools.pairwise(scale.edges)] for scale in scales]
        self.num_bins = max(map(len, bins))
        self.num_features = len(scales) * (1 + self.num_bins)
        padded = [[*own, *[(NEVER, 1.0)] * (self.num_bins - len(own))] for own in bins]
        self.register_buffer("median", torch.tensor([scale.median for scale in scales]))
        self.register_buffer("mean", torch.tensor([scale.mean for scale in scales]))
        self.register_buffer("std", torch.tensor([scale.std for scale in scales]))
        self.register_buffer("low", torch.tensor([[low for low, _ in own] for own in padded]))
        self.register_buffer("width", torch.tensor([[width for _, width in own] for own in padded]))

    def encode(self, numeric: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the standardised numbers, (N, F), and how far they reach into the bins, (N, F, bins), if any.

        Args:
            numeric: (N, F) numbers; NaN marks missing values.
        """
        known = torch.where(torch.isnan(numeric), self.median, numeric)
        standard = (known - self.mean) / self.std
        if self.limit is not None:
            # Clamped first, so that the square of an extreme number stays finite, also in fp16.
            standard = standard.clamp(-200 * self.limit, 200 * self.limit)
            standard = standard * (1 + (standard / self.limit).square()).rsqrt()
        if not self.num_bins:
            return standard, None
        return standard, ((known.unsqueeze(2) - self.low) / self.width).clamp(0, 1)

    def forward(self, numeric: Tensor) -> Tensor:
        """Return (N, F + F * bins) features for (N, F) numbers; NaN marks missing values."""
        standard, passed = self.encode(numeric)
        return standard if passed is None else torch.cat([standard, passed.flatten(1)], 1)


def plain(scales: Sequence[NumericScale], limit: float | None = None) -> NumericInputs:
    """Return the encoding of each number as itself, standardised."""
    return NumericInputs([replace(scale, edges=()) for scale in scales], limit)


class PiecewiseNumbers(nn.Module):
    """Embeds each number by a linear layer of its column over its bins, added to one over the number itself.

    The layer over the bins begins at zero, so that an embedding begins as a linear function.

    Args:
        scales, limit: as in `NumericInputs`.
        width: of an embedding.

    Source: arXiv:2203.05556, section 3.2, as `PiecewiseLinearEmbeddings` version B of the authors' package, which TabM
    uses.
    """

    def __init__(self, scales: Sequence[NumericScale], limit: float | None = None, width: int = 16) -> None:
        super().__init__()
        self.inputs = NumericInputs(scales, limit)
        self.num_features = len(scales) * width
        self.scale = nn.Parameter(torch.empty(len(scales), width).uniform_(-1, 1))
        self.bias = nn.Parameter(torch.empty(len(scales) * width).uniform_(-1, 1))
        bins = self.inputs.num_bins
        self.weight = nn.Parameter(torch.zeros(len(scales), bins, width)) if bins else None

    def forward(self, numeric: Tensor) -> Tensor:
        """Return (N, F * width) features for (N, F) numbers; NaN marks missing values."""
        standard, passed = self.inputs.encode(numeric)
        linear = standard.unsqueeze(2) * self.scale + self.bias.view_as(self.scale)
        if passed is None or self.weight is None:
            return linear.flatten(1)
        return (linear + torch.einsum("nfb,fbd->nfd", passed, self.weight)).flatten(1)


class PeriodicNumbers(nn.Module):
    """Embeds each number by a linear layer of its column over waves with learned frequencies, beside the number itself.

    Args:
        scales, limit: as in `NumericInputs`.
        waves: the number of frequencies of a column.
        width: of an embedding, including the number.
        sigma: standard deviation of the initial frequencies, in cycles per standard deviation of the column.
        rate: multiplies the learning rate of all of its parameters, which are stored divided by it.

    Source: arXiv:2203.05556, section 3.3, in the form of RealMLP (Holzmueller et al. 2024, arXiv:2407.04491, "PBLD"),
    which adds a bias to each wave and the number beside them, with its widths.
    """

    def __init__(
        self,
        scales: Sequence[NumericScale],
        limit: float | None = None,
        waves: int = 16,
        width: int = 4,
        sigma: float = 0.1,
        rate: float = 1.0,
    ) -> None:
        super().__init__()
        self.inputs = plain(scales, limit)
        self.num_features = len(scales) * width
        self.rate = rate
        self.frequency = nn.Parameter(sigma / rate * torch.randn(len(scales), waves))
        self.phase = nn.Parameter(torch.empty(len(scales) * waves).uniform_(-math.pi / rate, math.pi / rate))
        bound = 1 / math.sqrt(waves) / rate
        self.weight = nn.Parameter(torch.empty(len(scales), waves, width - 1).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(len(scales) * (width - 1)).uniform_(-bound, bound))

    def forward(self, numeric: Tensor) -> Tensor:
        """Return (N, F * width) features for (N, F) numbers; NaN marks missing values."""
        standard: Tensor = self.inputs(numeric).unsqueeze(2)
        angles = 2 * math.pi * standard * self.frequency + self.phase.view_as(self.frequency)
        bias = self.bias.view(len(self.frequency), -1)
        embedded = self.rate * (torch.einsum("nfw,fwd->nfd", torch.cos(self.rate * angles), self.weight) + bias)
        return torch.cat([standard, embedded], 2).flatten(1)


Encoding = Callable[..., NumericInputs | PiecewiseNumbers | PeriodicNumbers]
"""(scales, limit) -> an encoding of numbers, with `num_features`."""

NUMBERS: Mapping[str, Encoding] = {
    "plain": plain,
    "bins": NumericInputs,
    "piecewise": PiecewiseNumbers,
    "periodic": PeriodicNumbers,
}
"""Name -> encoding; the tasks' options have its names without torch."""
