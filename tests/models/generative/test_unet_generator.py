from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.models.generative.unet_generator import UNetGenerator, unet_depth


def test_the_published_number_of_parameters():
    with torch.device("meta"):
        network = UNetGenerator(depth=8)
    assert sum(parameter.numel() for parameter in network.parameters()) == 54_413_955


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("depth", [5, 6])
def test_images_have_their_size_and_every_parameter_learns(norm, depth):
    torch.manual_seed(0)
    network = UNetGenerator(depth=depth, width=2, norm=norm)
    made = network(torch.rand(2, 3, 64, 128) * 2 - 1)
    assert made.shape == (2, 3, 64, 128)
    (made - 0.5).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


@pytest.mark.parametrize(("depth", "count"), [(5, 0), (6, 1), (7, 2), (8, 3)])
def test_each_repeated_map_has_dropout_on_its_way_up(depth, count):
    with torch.device("meta"):
        network = UNetGenerator(depth=depth)
    has_dropout = [any(isinstance(layer, nn.Dropout) for layer in step) for step in network.up]
    assert has_dropout == [False, *[True] * count, *[False] * (depth - 1 - count)]
    assert not any(
        isinstance(module, nn.Dropout) for module in UNetGenerator(depth=5, width=2, dropout=False).modules()
    )


def test_details_pass_by_the_skips():
    """A pixel changes the output where the deepest maps are silenced."""
    torch.manual_seed(0)
    network = UNetGenerator(depth=5, width=2, norm="batch").eval()
    with torch.no_grad():
        network.up[-1][1].weight[2:] = 0  # what comes from below
        image = torch.zeros(1, 3, 32, 32)
        plain = network(image)
        image[0, :, 10, 20] = 1
        changed = (network(image) - plain).abs().sum(1)[0].nonzero()
    assert len(changed)
    assert (changed - torch.tensor([10, 20])).abs().max() <= 3


@pytest.mark.parametrize(
    ("size", "depth"), [(256, 8), (512, 8), (128, 7), (96, 5), (160, 5), (32, 5), (100, None), (48, None), (33, None)]
)
def test_the_depth_is_the_number_of_halvings(size, depth):
    assert unet_depth(size) == depth


def test_another_depth_is_refused():
    with pytest.raises(ValueError, match="from 5 to 8"):
        UNetGenerator(depth=4)
