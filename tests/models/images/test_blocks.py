"""The layer that all networks are made of, and how its weights begin."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcli.models.images.blocks import conv_norm_act, initialise


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
@pytest.mark.parametrize(("stride", "size"), [(1, (9, 12)), (2, (5, 6))])
def test_only_the_stride_shrinks_the_map(kernel_size: int, stride: int, size: tuple[int, int]) -> None:
    block = conv_norm_act(2, 6, kernel_size, stride=stride)
    assert block(torch.randn(3, 2, 9, 12)).shape == (3, 6, *size)


def test_it_is_convolution_norm_and_relu_and_has_no_bias_before_the_norm() -> None:
    block, features = conv_norm_act(3, 4, 3), torch.randn(2, 3, 6, 6)
    conv, norm = block[0], block[1]
    assert conv.bias is None
    mapped = F.conv2d(features, conv.weight, padding=1)
    mean, variance = mapped.mean((0, 2, 3), keepdim=True), mapped.var((0, 2, 3), correction=0, keepdim=True)
    expected = ((mapped - mean) / (variance + norm.eps).sqrt()).relu()
    torch.testing.assert_close(block(features), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("in_channels", "out_channels", "kernel"), [(64, 256, 3), (256, 16, 3), (512, 128, 1)])
def test_convolutions_begin_with_a_variance_of_two_over_their_inputs(
    in_channels: int, out_channels: int, kernel: int
) -> None:
    layer = nn.Conv2d(in_channels, out_channels, kernel)
    initialise(nn.Sequential(layer))
    fan_in = in_channels * kernel**2
    assert float(layer.weight.detach().var()) == pytest.approx(2 / fan_in, rel=0.05)
    assert float(layer.weight.detach().mean()) == pytest.approx(0, abs=0.01)
    assert not layer.bias.any()


def test_only_convolutions_are_drawn_again() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Linear(2, 2), nn.BatchNorm2d(1))
    before = [parameter.clone() for layer in model[1:] for parameter in layer.parameters()]
    initialise(model)
    assert all(
        torch.equal(old, new)
        for old, new in zip(before, (p for layer in model[1:] for p in layer.parameters()), strict=True)
    )


def test_activations_keep_their_scale_through_many_layers() -> None:
    layers = nn.Sequential(*(nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()) for _ in range(8)))
    initialise(layers)
    features = torch.randn(2, 64, 12, 12)
    with torch.no_grad():
        ratio = float(layers(features).square().mean() / features.square().mean())
    assert 0.1 < ratio < 10  # torch's own initialisation gives 1e-7
