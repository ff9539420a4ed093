"""RealMLP: what its layers are at first, and that a stored-divided parameter learns as one with a higher rate does."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from dlcli.models.layers import ACTIVATIONS
from dlcli.models.tables.realmlp import (
    BIAS_RATE,
    SCALE_RATE,
    ParametricActivation,
    RealPerceptron,
    ScaledFeatures,
    UnitLinear,
)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_the_factors_of_the_features_are_one_at_first_and_separate_by_member():
    layer, features = ScaledFeatures(2, 3), torch.randn(2, 5, 3)
    torch.testing.assert_close(layer(features), features)
    with torch.no_grad():
        layer.factor[0] = 2 / SCALE_RATE
    torch.testing.assert_close(layer(features)[0, :, 0], 2 * features[0, :, 0])
    torch.testing.assert_close(layer(features)[1], features[1])


def test_a_layer_of_unit_variance_is_a_linear_layer_over_the_root_of_its_width():
    layer, features = UnitLinear(2, 3, 4), torch.randn(2, 5, 3)
    for member in range(2):
        weight = layer.weight[member] / 3**0.5
        bias = BIAS_RATE * layer.bias.view(2, 4)[member]
        torch.testing.assert_close(layer(features)[member], features[member] @ weight + bias)


@pytest.mark.parametrize("width", [10, 1000])
def test_the_outputs_of_a_layer_have_the_same_spread_at_every_width(width):
    layer = UnitLinear(1, width, 4000)
    with torch.no_grad():
        layer.bias.zero_()
    assert layer(torch.ones(1, 1, width)).std().item() == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_itself_at_first_and_may_become_a_straight_line(name):
    layer, features = ParametricActivation(2, 3, ACTIVATIONS[name]()), torch.randn(2, 5, 3)
    kept = features.clone()
    torch.testing.assert_close(layer(features), ACTIVATIONS[name]()(features.clone()))
    assert torch.equal(features, kept)  # none is in place
    with torch.no_grad():
        layer.change.fill_(-10)
    torch.testing.assert_close(layer(features), features)


def trained(parameter, used, rate):
    """Return the values that Adam gives a parameter that is used through a function."""
    optimizer = torch.optim.Adam([parameter], lr=rate, eps=0)
    wanted = torch.tensor([0.5, -2.0, 3.0])
    values = []
    for _ in range(20):
        optimizer.zero_grad()
        F.mse_loss(used(parameter), wanted).backward()
        optimizer.step()
        values.append(used(parameter).detach().clone())
    return torch.stack(values)


@pytest.mark.parametrize("rate", [SCALE_RATE, BIAS_RATE])
def test_a_parameter_stored_divided_by_a_factor_learns_at_that_multiple_of_the_rate(rate):
    start = torch.ones(3)
    divided = trained((start / rate).requires_grad_(), lambda value: rate * value, 0.01)
    faster = trained(start.clone().requires_grad_(), lambda value: value, 0.01 * rate)
    torch.testing.assert_close(divided, faster, rtol=1e-4, atol=1e-5)
    assert (divided[-1] - start).abs().max() > 0.005


def test_a_layer_fitted_to_rows_has_unit_outputs_that_cross_zero_among_them():
    layer, features = UnitLinear(2, 3, 200), 5 + torch.randn(2, 500, 3) * torch.tensor([0.1, 10.0, 1.0])
    layer.fit(features)
    outputs = layer(features)
    torch.testing.assert_close(outputs.std(1, unbiased=False), torch.ones(2, 200), rtol=1e-3, atol=1e-3)
    assert ((outputs.amin(1) < 0) & (outputs.amax(1) > 0)).all()
    middles = outputs.mean(1)
    assert (middles.std() > 0.2) and middles.abs().mean() < 1  # not all at the same place, and none far off


def test_a_layer_fitted_to_equal_rows_keeps_its_weights():
    layer, features = UnitLinear(1, 3, 4), torch.ones(1, 6, 3)
    weight = layer.weight.clone()
    layer.fit(features)
    assert torch.equal(layer.weight, weight)
    torch.testing.assert_close(layer(features), torch.zeros(1, 6, 4), rtol=0, atol=1e-5)


def test_every_layer_of_a_perceptron_is_fitted_to_what_reaches_it():
    network = RealPerceptron(in_features=3, out_features=2, hidden=(16, 16), members=2, dropout=0.5)
    features = 7 + 100 * torch.randn(2, 400, 3)
    network.fit(features)
    deviations = network.eval()(features).std(1, unbiased=False)
    torch.testing.assert_close(deviations, torch.ones(2, 2), rtol=1e-3, atol=1e-3)


def test_members_answer_as_they_would_alone():
    together = RealPerceptron(in_features=3, out_features=2, hidden=(8, 8), members=3).eval()
    features = torch.randn(3, 5, 3)
    answers = together(features)
    for member in range(3):
        alone = RealPerceptron(in_features=3, out_features=2, hidden=(8, 8)).eval()
        with torch.no_grad():
            for own, shared in zip(alone.parameters(), together.parameters(), strict=True):
                own.copy_(shared.view(3, *own.shape)[member] if own.dim() == 1 else shared[member : member + 1])
        torch.testing.assert_close(alone(features[member : member + 1])[0], answers[member])


def test_an_unknown_activation_is_refused():
    for hidden in ((8,), ()):
        with pytest.raises(ValueError, match="unknown activation 'sine'"):
            RealPerceptron(in_features=3, out_features=1, hidden=hidden, activation="sine")
