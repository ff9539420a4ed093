"""Norms and activations by name, against torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcli.models.layer_kinds import ACTIVATION_NAMES, NORM_NAMES
from dlcli.models.layers import ACTIVATIONS, NORMS


def test_the_names_of_the_options_are_those_of_the_tables() -> None:
    assert tuple(NORMS) == NORM_NAMES
    assert tuple(ACTIVATIONS) == ACTIVATION_NAMES


@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_an_activation_is_its_formula(name: str) -> None:
    values = torch.linspace(-4, 4, 41, dtype=torch.float64)
    formulas = {
        "relu": values.clamp(min=0),
        "leaky": torch.where(values < 0, 0.01 * values, values),
        "gelu": values * 0.5 * (1 + torch.erf(values / 2**0.5)),
        "silu": values / (1 + torch.exp(-values)),
        "mish": values * torch.tanh(torch.log(1 + torch.exp(values))),
        "selu": 1.0507009873554805 * torch.where(values < 0, 1.6732632423543772 * (torch.exp(values) - 1), values),
        "sigmoid": 1 / (1 + torch.exp(-values)),
        "tanh": (torch.exp(2 * values) - 1) / (torch.exp(2 * values) + 1),
    }
    torch.testing.assert_close(ACTIVATIONS[name]()(values.clone()), formulas[name])


@pytest.mark.parametrize("name", NORM_NAMES)
def test_a_norm_is_torchs_of_that_name(name: str) -> None:
    features = torch.randn(3, 48, 5, 6, generator=torch.Generator().manual_seed(0)) * 3 + 1
    expected = {
        "batch": F.batch_norm(features, None, None, training=True),
        "group": F.group_norm(features, 3),  # 16 channels in each
        "layer": F.layer_norm(features, features.shape[1:]),
        "instance": F.instance_norm(features),
        "none": features,
    }[name]
    norm = NORMS[name](48)
    torch.testing.assert_close(norm(features), expected)
    assert sum(parameter.numel() for parameter in norm.parameters()) == (0 if name == "none" else 2 * 48)


@pytest.mark.parametrize(("channels", "groups"), [(16, 1), (12, 3), (24, 3), (104, 13), (5, 5), (512, 32)])
def test_groups_divide_the_channels(channels: int, groups: int) -> None:
    norm = NORMS["group"](channels)
    assert isinstance(norm, nn.GroupNorm)
    assert norm.num_groups == groups


def test_only_batch_norm_lets_items_see_each_other_in_training() -> None:
    features = torch.randn(4, 16, 3, 3, generator=torch.Generator().manual_seed(0))
    for name in NORM_NAMES:
        norm = NORMS[name](16).train()
        alone = norm(features[:1])
        assert torch.allclose(norm(features)[:1], alone, atol=1e-5) is (name != "batch")
