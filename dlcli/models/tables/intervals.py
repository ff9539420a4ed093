"""Intervals around an ensemble's predictions: as wide as its spread says, scaled by what the validation part showed.

The members of an ensemble agree more than they are right, so their spread is too narrow. It is scaled by one factor for
each coverage, which split conformal prediction with normalised residuals chooses (Lei et al. 2018, "Distribution-free
predictive inference for regression", section 5.2): an interval is the prediction +- factor x (spread + floor), where
the floor, the mean spread, keeps rows on which all members happen to agree from having no width (Papadopoulos &
Haralambous 2011, "Reliable prediction intervals with regression neural networks").
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dlcli.models.tables.table_mlp import TableRegressor

FLOOR, FACTORS = "interval_floor", "interval_factors"
"""The buffers of a calibrated regressor: () in the target's units, and (C,), a factor for each coverage."""


def add_interval(model: TableRegressor, num_coverages: int) -> None:
    """Give a regressor the buffers of an interval, NaN until the spread is calibrated; they travel with its weights."""
    model.register_buffer(FLOOR, torch.tensor(math.nan))
    model.register_buffer(FACTORS, torch.full((num_coverages,), math.nan))


class WithInterval(nn.Module):
    """What is evaluated and exported: an ensemble's regressor with the ends of its interval.

    Args:
        model: a regressor of several members with the buffers of an interval.
        place: the index of the coverage in the factors.
    """

    def __init__(self, model: TableRegressor, place: int) -> None:
        super().__init__()
        self.model = model
        self.place = place

    def forward(self, first: Tensor, second: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return prediction, spread, and the low and the high end, each (N,); NaN before calibration."""
        prediction, spread = self.model(first, second) if second is not None else self.model(first)
        factor = self.model.get_buffer(FACTORS)[self.place]
        half = factor * (spread + self.model.get_buffer(FLOOR))
        return prediction, spread, prediction - half, prediction + half
