"""Layers shared through rank-1 adapters: members are separate perceptrons whose weights have rank-1 factors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.models.tables.adapted import AdaptedLinear
from dlcli.models.tables.mlp import MLP, MemberLinear


def scrambled(mlp: MLP) -> MLP:
    """Return the perceptrons with adapters and biases that differ between members."""
    with torch.no_grad():
        for layer in mlp.layers:
            if isinstance(layer, AdaptedLinear):
                for vector in (layer.before, layer.after, layer.bias):
                    vector.normal_()
    return mlp


def separate(mlp: MLP, member: int) -> nn.Sequential:
    """Return one member as a perceptron of torch's own layers, the adapters folded into its weights."""
    twin: list[nn.Module] = []
    for layer in mlp.layers:
        if isinstance(layer, (AdaptedLinear, MemberLinear)):
            weights = layer.weight[member] if isinstance(layer, MemberLinear) else layer.weight.clone()
            if isinstance(layer, AdaptedLinear):
                weights *= layer.before.view(layer.members, -1, 1)[member]
                weights *= layer.after.view(layer.members, 1, -1)[member]
            linear = nn.Linear(*weights.shape)
            linear.weight.data = weights.detach().T.clone()
            linear.bias.data = layer.bias.detach().view(layer.members, -1)[member].clone()
            twin.append(linear)
        else:
            twin.append(layer)
    return nn.Sequential(*twin)


def test_members_answer_as_separate_perceptrons():
    mlp = scrambled(MLP(in_features=5, out_features=2, hidden=(7, 3), members=4, is_shared=True))
    features = torch.randn(11, 5)
    answers = mlp(features.expand(4, -1, -1))
    for member in range(4):
        torch.testing.assert_close(separate(mlp, member)(features), answers[member])


def test_the_layer_follows_the_papers_formula():
    layer = AdaptedLinear(3, 5, 4, draws_signs=True)
    with torch.no_grad():
        layer.after.normal_()
        layer.bias.normal_()
    features = torch.randn(3, 6, 5)
    r, s, b = (vector.view(3, 1, -1) for vector in (layer.before, layer.after, layer.bias))
    torch.testing.assert_close(layer(features), ((features * r) @ layer.weight) * s + b)


def test_the_shared_weights_step_by_the_sum_of_the_separate_gradients():
    """For dW of member m folds as r_m dW_m s_m, where dW_m is the gradient of a perceptron by itself."""
    mlp = scrambled(MLP(in_features=5, out_features=1, hidden=(7, 6), members=3, is_shared=True))
    features, targets = torch.randn(11, 5), torch.randn(11, 1)
    nn.functional.mse_loss(mlp(features.expand(3, -1, -1)), targets.expand(3, -1, -1)).backward()
    layers = [layer for layer in mlp.layers if isinstance(layer, AdaptedLinear)]
    expected = [torch.zeros_like(layer.weight) for layer in layers]
    for member in range(3):
        twin = separate(mlp, member)
        (nn.functional.mse_loss(twin(features), targets) / 3).backward()
        linears = [layer for layer in twin if isinstance(layer, nn.Linear)]
        for total, layer, linear in zip(expected, layers, linears, strict=False):
            r, s = layer.before.view(3, -1, 1)[member], layer.after.view(3, 1, -1)[member]
            total += r * linear.weight.grad.T * s
            torch.testing.assert_close(linear.bias.grad, layer.bias.grad.view(3, -1)[member])
    for total, layer in zip(expected, layers, strict=True):
        torch.testing.assert_close(layer.weight.grad, total.detach())


def test_members_begin_with_signs_in_the_first_layer_and_as_one_in_the_others():
    mlp = MLP(in_features=64, out_features=1, hidden=(8, 8), members=4, is_shared=True)
    first, second = (layer for layer in mlp.layers if isinstance(layer, AdaptedLinear))
    assert sorted(first.before.unique().tolist()) == [-1, 1]
    assert abs(float(first.before.detach().mean())) < 0.3
    for vector in (first.after, second.before, second.after):
        assert torch.equal(vector, torch.ones_like(vector))
    for layer in (first, second):
        assert (layer.bias.view(4, -1) == layer.bias[: layer.out_features]).all()
    assert isinstance(mlp.layers[-1], MemberLinear)  # each member has a head, which shares nothing


def test_one_member_alone_is_a_plain_perceptron_at_first():
    layer = AdaptedLinear(1, 6, 3, draws_signs=True)
    features = torch.randn(1, 5, 6)
    torch.testing.assert_close(layer(features)[0], features[0] @ layer.weight + layer.bias)


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 3), (64, 500)])
def test_weights_begin_as_torchs_own(inputs, outputs):
    layer = AdaptedLinear(4, inputs, outputs, draws_signs=False)
    bound = 1 / inputs**0.5
    for values in (layer.weight, layer.bias):
        assert 0.6 * bound < float(values.detach().abs().max()) <= bound


def test_only_matrices_have_two_axes_so_that_adapters_do_not_decay():
    mlp = MLP(in_features=4, out_features=1, members=5, is_shared=True)
    vectors = {name.split(".")[-1] for name, value in mlp.named_parameters() if value.ndim < 2}
    assert vectors == {"bias", "before", "after"}
