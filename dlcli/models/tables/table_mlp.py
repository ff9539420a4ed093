"""A perceptron over the columns of a table; the columns' statistics are buffers, so that exports include them.

A number is imputed and standardised, and also encoded piecewise linearly: how far it reaches into each bin between two
quantiles of the training split. With such bins a perceptron learns the step functions that trees are good at (Gorishniy
et al. 2022, arXiv:2203.05556). A category has an embedding; that of an unknown category is zero, the value towards
which weight decay pulls all of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.models.tables.mlp import MLP

NEVER = 3e38
"""Start of a bin that no number reaches: columns with fewer bins than others are padded with such bins."""


@dataclass(frozen=True)
class NumericScale:
    """Preprocessing of a numeric column.

    Attributes:
        median: replaces missing values.
        mean, std: of the training split; std is above 0.
        edges: edges of the bins, increasing; () for no bins.
    """

    median: float
    mean: float
    std: float
    edges: tuple[float, ...] = ()


class NumericInputs(nn.Module):
    """Converts raw numbers of a table to features.

    Args:
        scales: one per numeric column.
    """

    median: Tensor
    mean: Tensor
    std: Tensor
    low: Tensor
    width: Tensor

    def __init__(self, scales: Sequence[NumericScale]) -> None:
        super().__init__()
        bins = [[(low, high - low) for low, high in itertools.pairwise(scale.edges)] for scale in scales]
        self.num_bins = max(map(len, bins))
        self.num_features = len(scales) * (1 + self.num_bins)
        padded = [[*own, *[(NEVER, 1.0)] * (self.num_bins - len(own))] for own in bins]
        self.register_buffer("median", torch.tensor([scale.median for scale in scales]))
        self.register_buffer("mean", torch.tensor([scale.mean for scale in scales]))
        self.register_buffer("std", torch.tensor([scale.std for scale in scales]))
        self.register_buffer("low", torch.tensor([[low for low, _ in own] for own in padded]))
        self.register_buffer("width", torch.tensor([[width for _, width in own] for own in padded]))

    def forward(self, numeric: Tensor) -> Tensor:
        """Return (N, F + F * bins) features for (N, F) numbers; NaN marks missing values."""
        known = torch.where(torch.isnan(numeric), self.median, numeric)
        standard = (known - self.mean) / self.std
        if not self.num_bins:
            return standard
        passed = ((known.unsqueeze(2) - self.low) / self.width).clamp(0, 1)
        return torch.cat([standard, passed.flatten(1)], 1)


class CategoryInputs(nn.Module):
    """Converts categories to features, by separate embeddings for each member.

    Args:
        sizes: number of categories of each column, including the unknown one, 0.
        members: M.
    """

    def __init__(self, sizes: Sequence[int], members: int) -> None:
        super().__init__()
        self.members = members
        self.widths = [embedding_width(size) for size in sizes]
        self.num_features = sum(self.widths)
        self.embeddings = nn.ModuleList(
            nn.Embedding(size, members * width, padding_idx=0) for size, width in zip(sizes, self.widths, strict=True)
        )

    def forward(self, categories: Tensor) -> Tensor:
        """Return (M, N, features) for (N, G) int64 categories."""
        parts = [
            embedding(categories[:, index]).view(-1, self.members, width).permute(1, 0, 2)
            for index, (embedding, width) in enumerate(zip(self.embeddings, self.widths, strict=True))
        ]
        return torch.cat(parts, 2)


def embedding_width(size: int) -> int:
    """Return the width of an embedding of `size` categories: 1.6 size^0.56, from 1 to 32.

    Source: fastai's rule, docs.fast.ai/tabular.model.
    """
    return min(32, max(1, round(1.6 * math.pow(size, 0.56))))


class TableMLP(nn.Module):
    """The network described at the top of the file, to be used by one of the two heads below.

    Args:
        scales: one per numeric column.
        category_sizes: one per categorical column.
        out_features: of each member.
        hidden, members, dropout, batch_norm, activation: as in `MLP`.
    """

    def __init__(
        self,
        *,
        scales: Sequence[NumericScale],
        category_sizes: Sequence[int],
        out_features: int,
        hidden: Sequence[int] = (64, 64),
        members: int = 1,
        dropout: float = 0.0,
        batch_norm: bool = False,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.members = members
        self.numeric = NumericInputs(scales) if scales else None
        self.categories = CategoryInputs(category_sizes, members) if category_sizes else None
        width = sum(part.num_features for part in (self.numeric, self.categories) if part is not None)
        self.mlp = MLP(
            in_features=width,
            out_features=out_features,
            hidden=hidden,
            members=members,
            dropout=dropout,
            batch_norm=batch_norm,
            activation=activation,
        )

    def forward(self, *columns: Tensor) -> Tensor:
        """Return each member's outputs, (M, N, out_features).

        Args:
            columns: (N, F) numbers, NaN for missing values, if the table has any; then (N, G) int64 categories, if any.
        """
        given = list(columns)
        parts = []
        if self.numeric is not None:
            parts.append(self.numeric(given.pop(0)).expand(self.members, -1, -1))
        if self.categories is not None:
            parts.append(self.categories(given.pop(0)))
        answers: Tensor = self.mlp(torch.cat(parts, 2) if len(parts) > 1 else parts[0])
        return answers


class TableRegressor(nn.Module):
    """Predicts one number per row, in the units of the target.

    Args:
        network: has one output.
        mean, std: of the target in the training split.
        bounds: minimum and maximum of each member's prediction, in the units of the target; None for no bounds.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: TableMLP, mean: float, std: float, bounds: tuple[float, float] | None = None) -> None:
        super().__init__()
        self.network = network
        self.bounds = tuple((bound - mean) / std for bound in bounds) if bounds is not None else None
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def standardised(self, *columns: Tensor) -> Tensor:
        """Return each member's standardised predictions, (M, N)."""
        answers: Tensor = self.network(*columns)
        return answers[..., 0]

    def members(self, *columns: Tensor) -> Tensor:
        """Return each member's standardised predictions, clamped to the bounds, (M, N)."""
        answers = self.standardised(*columns)
        return answers.clamp(*self.bounds) if self.bounds is not None else answers

    def forward(self, first: Tensor, second: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Return the mean over members, (N,), and for an ensemble also their standard deviation, (N,).

        Args:
            first, second: the columns, as in `TableMLP.forward`.
        """
        answers = self.members(first, second) if second is not None else self.members(first)
        centre = answers.mean(0)
        prediction = centre * self.std + self.mean
        members = self.network.members
        if members == 1:
            return prediction
        spread = ((answers - centre).square().sum(0) / (members - 1)).sqrt() * self.std
        return prediction, spread


class TableClassifier(nn.Module):
    """Predicts logits per row; for an ensemble, the logits of the mean probabilities."""

    def __init__(self, network: TableMLP) -> None:
        super().__init__()
        self.network = network

    def members(self, *columns: Tensor) -> Tensor:
        """Return each member's logits, (M, N, C)."""
        logits: Tensor = self.network(*columns)
        return logits

    def forward(self, first: Tensor, second: Tensor | None = None) -> Tensor:
        """Return (N, C) logits.

        Args:
            first, second: the columns, as in `TableMLP.forward`.
        """
        logits = self.members(first, second) if second is not None else self.members(first)
        if self.network.members == 1:
            return logits[0]
        return torch.logsumexp(logits.log_softmax(2), 0) - math.log(self.network.members)
