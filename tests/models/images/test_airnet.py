"""A first layer from data, convolutions that begin as identities."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.core.train_config import TrainConfig
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.optim.layers import freeze_layers, layer_rates
from dlcli.models.fitting import FIT_IMAGES, FitsToImages, fit_count
from dlcli.models.images.airnet import HEAD_SCALE, AirNet, whitening_filters


def correlated_images(count: int = 40, channels: int = 3, size: int = 12) -> Tensor:
    noise = torch.randn(count, channels, size, size)
    mixing = torch.eye(channels) + 0.5 * torch.ones(channels, channels) / channels
    return F.avg_pool2d(torch.einsum("dc,nchw->ndhw", mixing, noise), 2, 1) * 2


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("patch", [2, 3])
def test_whitened_patches_are_uncorrelated_with_a_mean_square_of_one(channels: int, patch: int) -> None:
    images = correlated_images(channels=channels)
    filters = whitening_filters(images, patch=patch, eps=0.0)
    answers = F.conv2d(images, filters.view(-1, channels, patch, patch)).transpose(0, 1).flatten(1)
    torch.testing.assert_close(answers @ answers.T / answers.shape[1], torch.eye(len(filters)), rtol=0, atol=1e-4)


def test_weak_directions_are_not_blown_up() -> None:
    flat = torch.ones(5, 1, 8, 8)  # one direction holds everything
    assert whitening_filters(flat).norm(dim=1).max() <= 1 / 5e-4**0.5 + 1e-3
    assert whitening_filters(flat).isfinite().all()


def test_the_number_of_images_does_not_scale_the_filters() -> None:
    images = correlated_images(600)  # more than are unfolded at once
    twice = whitening_filters(images.repeat(2, 1, 1, 1))
    torch.testing.assert_close(twice.abs(), whitening_filters(images).abs(), rtol=1e-3, atol=1e-4)


def test_the_first_layer_holds_filters_and_their_negatives_and_is_not_trained() -> None:
    network = AirNet(num_classes=10, width=8)
    assert isinstance(network, FitsToImages)
    network.fit_to(correlated_images())
    first, second = network.whiten.weight.chunk(2)
    assert torch.equal(first, -second)
    assert "whiten.weight" in network.state_dict()
    trained = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    assert "whiten.weight" not in trained
    assert "whiten.bias" in trained
    assert not [name for name in trained if name.startswith("layer") and name.endswith(("2.weight", "5.weight"))]


def test_training_leaves_the_filters_and_the_norms_scale_alone() -> None:
    network = AirNet(num_classes=4, width=8)
    before = copy.deepcopy(network.state_dict())
    optimizer = build_optimizer(network, TrainConfig(optimizer="muon", learning_rate=0.1))
    F.cross_entropy(network(torch.randn(4, 3, 32, 32)), torch.arange(4)).backward()
    optimizer.step()
    after = network.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {"whiten.weight", *(f"layer{block}.{norm}.weight" for block in (1, 2, 3) for norm in (2, 5))}


def test_the_first_bias_is_learned_in_the_first_third_of_a_training() -> None:
    network = AirNet(num_classes=4, width=8)
    [(bias, until)] = network.learned_early()
    assert bias is network.whiten.bias
    groups = build_optimizer(network, TrainConfig(optimizer="muon")).param_groups
    assert [group["params"] for group in groups if "until" in group] == [[bias]]
    assert until == pytest.approx(1 / 3)


@pytest.mark.parametrize("layer", ["layer1", "layer2", "layer3"])
def test_convolutions_pass_their_first_channels_through(layer: str) -> None:
    network = AirNet(num_classes=10, width=32)
    block = network.get_submodule(layer)
    assert isinstance(block, nn.Sequential)
    for conv in (block[0], block[4]):
        assert isinstance(conv, nn.Conv2d)
        features = torch.randn(2, conv.in_channels, 6, 6)
        kept = min(conv.in_channels, conv.out_channels)
        torch.testing.assert_close(conv(features)[:, :kept], features[:, :kept])


def test_widths_are_one_four_four() -> None:
    network = AirNet(num_classes=10, width=64)
    convs = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert [conv.out_channels for conv in convs] == [24, 64, 64, 256, 256, 256, 256]
    assert network.head.weight.abs().max() <= HEAD_SCALE / 16  # torch's bound is 1 / sqrt(256)


@pytest.mark.parametrize("size", [28, 30, 32])
def test_the_last_pool_is_the_papers_three_by_three(size: int) -> None:
    network = AirNet(num_classes=10, width=8, image_size=size).eval()
    images = torch.randn(2, 3, size, size)
    features = network.layer3(network.layer2(network.layer1(F.relu(network.whiten(images)))))
    expected = network.head(F.max_pool2d(features, 3).flatten(1))
    torch.testing.assert_close(network(images), expected)


def test_frozen_airnet_trains_its_head_alone() -> None:
    network = AirNet(num_classes=10, width=8)
    freeze_layers(network, layer_rates(network, TrainConfig(freeze="head")))
    assert [name for name, p in network.named_parameters() if p.requires_grad] == ["head.weight"]


def test_fewer_large_images_are_asked_for_than_small_ones() -> None:
    assert fit_count(32, 32) == fit_count(28, 28) == FIT_IMAGES
    assert fit_count(224, 224) == FIT_IMAGES * 32 * 32 // 224**2
    assert fit_count(9000, 9000) == 1
