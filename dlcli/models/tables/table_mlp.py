"""A perceptron over the columns of a table; the columns' statistics are buffers, so that exports include them.

`dlcli.models.tables.numbers` says how numbers become features. A category has an embedding; that of an unknown category
is zero, the value towards which weight decay pulls all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.models.tables.mlp import MLP
from dlcli.models.tables.numbers import NUMBERS, Encoding, NumericScale, PeriodicNumbers
from dlcli.models.tables.realmlp import PERIODIC_RATE, RealPerceptron


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
        numbers: how numbers are encoded, a name in `NUMBERS` of `dlcli.models.tables.numbers`.
        limit: bounds standardised numbers; see `NumericInputs`.
        hidden, members, dropout, batch_norm, activation: as in `MLP`.
        perceptron: makes what follows the encodings, a network called as `MLP` is, whose last layer is `layers[-1]`.
        encodings: those that `numbers` names.
        shares_categories: whether the members have one set of embeddings of categories.
    """

    def __init__(
        self,
        *,
        scales: Sequence[NumericScale],
        category_sizes: Sequence[int],
        out_features: int,
        numbers: str = "bins",
        limit: float | None = None,
        hidden: Sequence[int] = (64, 64),
        members: int = 1,
        dropout: float = 0.0,
        batch_norm: bool = False,
        activation: str = "relu",
        perceptron: Callable[..., MLP | RealPerceptron] = MLP,
        encodings: Mapping[str, Encoding] = NUMBERS,
        shares_categories: bool = False,
    ) -> None:
        super().__init__()
        self.members = members
        self.numeric = encodings[numbers](scales, limit) if scales else None
        own = 1 if shares_categories else members
        self.categories = CategoryInputs(category_sizes, own) if category_sizes else None
        width = sum(part.num_features for part in (self.numeric, self.categories) if part is not None)
        self.mlp = perceptron(
            in_features=width,
            out_features=out_features,
            hidden=hidden,
            members=members,
            dropout=dropout,
            batch_norm=batch_norm,
            activation=activation,
        )

    def fit(self, *columns: Tensor) -> None:
        """Fit the initial weights to rows that train, if the perceptron does so; the columns are as in `forward`."""
        if isinstance(self.mlp, RealPerceptron):
            self.mlp.fit(self._features(*columns))

    def forward(self, *columns: Tensor) -> Tensor:
        """Return each member's outputs, (M, N, out_features).

        Args:
            columns: (N, F) numbers, NaN for missing values, if the table has any; then (N, G) int64 categories, if any.
        """
        answers: Tensor = self.mlp(self._features(*columns))
        return answers

    def _features(self, *columns: Tensor) -> Tensor:
        """Return what the perceptron reads, (M, N, features)."""
        given = list(columns)
        parts = []
        if self.numeric is not None:
            parts.append(self.numeric(given.pop(0)).expand(self.members, -1, -1))
        if self.categories is not None:
            parts.append(self.categories(given.pop(0)).expand(self.members, -1, -1))
        return torch.cat(parts, 2) if len(parts) > 1 else parts[0]


def tabm(**options: Any) -> TableMLP:
    """Return a `TableMLP` whose members share their weights through rank-1 adapters: TabM.

    The members see the same rows and each has its head and its loss; what they share regularises them.

    Source: Gorishniy et al. 2024, arXiv:2410.24210.
    """
    return TableMLP(**options, perceptron=partial(MLP, is_shared=True), shares_categories=True)


def realmlp(**options: Any) -> TableMLP:
    """Return a `TableMLP` with the perceptron of RealMLP; its recipe is that of `dlcli.tasks.tables.recipes`.

    Source: Holzmueller et al. 2024, arXiv:2407.04491.
    """
    slow = partial(PeriodicNumbers, rate=PERIODIC_RATE)
    return TableMLP(**options, perceptron=RealPerceptron, encodings={**NUMBERS, "periodic": slow})


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
