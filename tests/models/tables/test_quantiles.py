"""Quantiles of a network: learned by the pinball loss, in order, averaged over members."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_pinball_loss

from dlcli.models.tables.quantiles import QuantileRegressor, pinball_loss
from dlcli.models.tables.table_mlp import NumericScale, TableMLP

LEVELS = (0.1, 0.5, 0.9)
NUMBERS = torch.randn(7, 2, generator=torch.Generator().manual_seed(0))


def make(members=1, bounds=None):
    torch.manual_seed(0)
    network = TableMLP(
        scales=[NumericScale(0.0, 0.0, 1.0)] * 2, category_sizes=[], out_features=3, hidden=(5,), members=members
    )
    return QuantileRegressor(network, 10.0, 2.0, LEVELS, 1, bounds).eval()


def test_the_loss_is_the_mean_of_scikit_learns_over_levels_and_members():
    random = np.random.default_rng(0)
    answers, targets = random.normal(size=(2, 50, 3)), random.normal(size=50)
    expected = [
        mean_pinball_loss(targets, member[:, k], alpha=level) for member in answers for k, level in enumerate(LEVELS)
    ]
    levels = torch.tensor(LEVELS, dtype=torch.float64)
    loss = pinball_loss(torch.from_numpy(answers), torch.from_numpy(targets), levels)
    assert float(loss) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("members", [1, 4])
def test_quantiles_never_cross_and_the_middle_one_is_the_prediction(members):
    model = make(members)
    assert (model.standardised(NUMBERS).diff(dim=-1) < 0).any()  # as they come from the network, they do
    prediction, quantiles = model(NUMBERS)
    assert (quantiles.diff(dim=1) >= 0).all()
    torch.testing.assert_close(prediction, quantiles[:, 1])
    sorted_ = model.standardised(NUMBERS).sort(dim=-1).values
    torch.testing.assert_close(quantiles, sorted_.mean(0) * 2 + 10)


def test_bounds_hold_for_every_quantile():
    model = make(bounds=(9.3, 10.7))
    quantiles = model(NUMBERS)[1]
    assert quantiles.min() >= 9.3 - 1e-5
    assert quantiles.max() <= 10.7 + 1e-5
    assert quantiles.unique().numel() > 2


def test_putting_in_order_never_costs():
    answers = torch.randn(500, 3, generator=torch.Generator().manual_seed(1))
    targets, levels = torch.randn(500, generator=torch.Generator().manual_seed(2)), torch.tensor(LEVELS)
    assert pinball_loss(answers.sort(-1).values, targets, levels) < pinball_loss(answers, targets, levels)
