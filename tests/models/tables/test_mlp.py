"""Perceptrons side by side: each member is a network of its own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.models.tables.mlp import MLP, MemberLinear


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("activation", ["relu", "silu", "gelu", "tanh"])
def test_members_answer_as_perceptrons_of_torchs_own_layers(batch_norm, activation):
    mlp = MLP(in_features=5, out_features=2, hidden=(7, 3), members=3, batch_norm=batch_norm, activation=activation)
    features = torch.randn(3, 11, 5)
    mlp.train()
    answers = mlp(features)
    for member in range(3):
        twin: list[nn.Module] = []
        for layer in mlp.layers:
            if isinstance(layer, MemberLinear):
                linear = nn.Linear(layer.weight.shape[1], layer.out_features)
                linear.weight.data = layer.weight[member].T
                linear.bias.data = layer.bias.view(3, -1)[member]
                twin.append(linear)
            else:
                twin.append(nn.BatchNorm1d(len(layer.norm.weight) // 3) if hasattr(layer, "norm") else layer)
        torch.testing.assert_close(nn.Sequential(*twin)(features[member]), answers[member])


def test_one_members_loss_moves_no_other_member():
    mlp = MLP(in_features=4, out_features=1, hidden=(6,), members=2)
    mlp(torch.randn(2, 5, 4))[0].sum().backward()
    for parameter in mlp.parameters():
        first, second = parameter.grad.view(2, -1)
        assert first.abs().sum() > 0
        assert second.abs().sum() == 0


def test_members_start_apart():
    mlp = MLP(in_features=4, out_features=1, members=2)
    first, second = mlp(torch.randn(1, 5, 4).expand(2, -1, -1))
    assert not torch.allclose(first, second)


def test_without_hidden_layers_it_is_linear():
    mlp = MLP(in_features=4, out_features=1, hidden=())
    a, b = torch.randn(1, 3, 4), torch.randn(1, 3, 4)
    torch.testing.assert_close(mlp(a) + mlp(b), mlp(a + b) + mlp(torch.zeros(1, 3, 4)))


def test_biases_have_one_axis_so_that_they_do_not_decay():
    mlp = MLP(in_features=4, out_features=1, members=5, batch_norm=True)
    assert {name.split(".")[-1] for name, value in mlp.named_parameters() if value.ndim < 2 and "norm" not in name} == {
        "bias"
    }
    assert all(
        value.ndim == 3 for name, value in mlp.named_parameters() if name.endswith("weight") and "norm" not in name
    )


def test_an_unknown_activation_is_named():
    with pytest.raises(ValueError, match="'swish'"):
        MLP(in_features=1, out_features=1, activation="swish")


@pytest.mark.parametrize(("dropout", "count"), [(0.0, 0), (0.3, 2)])
def test_dropout_follows_every_hidden_layer_and_never_the_last(dropout, count):
    mlp = MLP(in_features=4, out_features=1, hidden=(6, 5), dropout=dropout)
    assert sum(isinstance(layer, nn.Dropout) for layer in mlp.layers) == count
    assert isinstance(mlp.layers[-1], MemberLinear)


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 3), (64, 500)])
def test_layers_begin_as_torchs_own(inputs, outputs):
    layer = MemberLinear(4, inputs, outputs)
    bound = 1 / inputs**0.5
    for values in (layer.weight, layer.bias):
        assert float(values.detach().abs().max()) <= bound
        assert float(values.detach().abs().max()) > 0.7 * bound
    assert float(layer.weight.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.35)


@pytest.mark.parametrize(("members", "count"), [(1, 1), (3, 0), (2, 7)])
def test_shapes_are_members_rows_and_outputs(members, count):
    mlp = MLP(in_features=4, out_features=2, members=members)
    assert mlp(torch.zeros(members, count, 4)).shape == (members, count, 2)
