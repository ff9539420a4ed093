"""Quantiles of a row's target, learned by the pinball loss and put in order.

Each member has one output per level. They are learned separately and sorted: quantiles that cross are rearranged, which
never increases the loss of a row's quantiles (Chernozhukov, Fernández-Val & Galichon 2010, "Quantile and probability
curves without crossing"), and unlike a sum of positive increments it lets each level learn at the same rate. Those of
an ensemble are averaged level by level, which keeps the order.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dlcli.models.tables.table_mlp import TableMLP


def pinball_loss(answers: Tensor, targets: Tensor, levels: Tensor) -> Tensor:
    """Return the mean pinball loss over all quantiles (Koenker & Bassett 1978).

    Args:
        answers: (..., Q) quantiles.
        targets: (...), or what broadcasts to it.
        levels: (Q,) in (0, 1).
    """
    errors = targets.unsqueeze(-1) - answers
    return torch.maximum(levels * errors, (levels - 1) * errors).mean()


class QuantileRegressor(nn.Module):
    """Predicts quantiles per row, in the units of the target.

    Args:
        network: has one output for each level.
        mean, std: of the target in the training split.
        levels: Q increasing levels in (0, 1).
        middle: the index of the level that is the prediction.
        bounds: minimum and maximum of each quantile, in the units of the target; None for no bounds.
    """

    mean: Tensor
    std: Tensor
    levels: Tensor

    def __init__(
        self,
        network: TableMLP,
        mean: float,
        std: float,
        levels: Sequence[float],
        middle: int,
        bounds: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.middle = middle
        self.bounds = tuple((bound - mean) / std for bound in bounds) if bounds is not None else None
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        self.register_buffer("levels", torch.tensor(list(levels)))

    def standardised(self, *columns: Tensor) -> Tensor:
        """Return each member's standardised quantiles as they are learned, not in order, (M, N, Q)."""
        answers: Tensor = self.network(*columns)
        return answers

    def members(self, *columns: Tensor) -> Tensor:
        """Return each member's standardised quantiles in order, clamped to the bounds, (M, N, Q)."""
        answers = self.standardised(*columns).sort(dim=-1).values
        return answers.clamp(*self.bounds) if self.bounds is not None else answers

    def forward(self, first: Tensor, second: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the prediction, (N,), which is the middle quantile, and all quantiles, (N, Q), averaged over members.

        Args:
            first, second: the columns, as in `TableMLP.forward`.
        """
        answers = self.members(first, second) if second is not None else self.members(first)
        quantiles = answers.mean(0) * self.std + self.mean
        return quantiles[:, self.middle], quantiles
