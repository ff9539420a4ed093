"""Intervals of an ensemble: by hand, and NaN until they are calibrated."""

from __future__ import annotations

import torch

from dlcli.models.tables.intervals import FACTORS, FLOOR, WithInterval, add_interval
from dlcli.models.tables.table_mlp import NumericScale, TableMLP, TableRegressor

NUMBERS = torch.randn(7, 2, generator=torch.Generator().manual_seed(0))


def test_the_ends_are_as_far_as_spread_and_floor_and_factor_say():
    torch.manual_seed(0)
    network = TableMLP(scales=[NumericScale(0.0, 0.0, 1.0)] * 2, category_sizes=[], out_features=1, members=3)
    model = TableRegressor(network, 10.0, 2.0).eval()
    add_interval(model, 99)
    graph = WithInterval(model, 89)
    assert all(end.isnan().all() for end in graph(NUMBERS)[2:])
    model.get_buffer(FLOOR).fill_(0.5)
    model.get_buffer(FACTORS)[89] = 3.0
    prediction, spread, low, high = graph(NUMBERS)
    torch.testing.assert_close(high - prediction, 3 * (spread + 0.5))
    torch.testing.assert_close(prediction - low, 3 * (spread + 0.5))
    torch.testing.assert_close((prediction, spread), model(NUMBERS))
