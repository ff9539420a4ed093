"""What holds for every network of our own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.models.heads import head_of
from dlcli.models.images.airnet import AirNet
from dlcli.models.images.efficientnet_lite import efficientnet_lite0
from dlcli.models.images.inception import Inception
from dlcli.models.images.lenet import LeNet, SmallCNN
from dlcli.models.images.mobilenet import MobileNet
from dlcli.models.images.peleenet import PeleeNet
from dlcli.models.images.resnet import ResNet
from dlcli.models.images.vgg import VGG
from dlcli.models.layer_kinds import ACTIVATION_NAMES, NORM_NAMES

Build = Callable[..., nn.Module]

PHOTO_NETWORKS: tuple[Build, ...] = (
    AirNet,
    VGG,
    ResNet,
    MobileNet,
    Inception,
    PeleeNet,
    efficientnet_lite0,
)
DIGIT_NETWORKS: tuple[Build, ...] = (LeNet, SmallCNN)
NETWORKS = PHOTO_NETWORKS + DIGIT_NETWORKS
WITH_NORMS: tuple[Build, ...] = (VGG, ResNet, MobileNet, Inception, PeleeNet, SmallCNN)


@pytest.mark.parametrize("size", [28, 32, 65, 224])
@pytest.mark.parametrize("build", NETWORKS)
def test_images_give_one_row_of_logits_each(build: Build, size: int) -> None:
    network = build(num_classes=7, in_channels=3, image_size=size).eval()
    with torch.no_grad():
        assert network(torch.randn(2, 3, size, size)).shape == (2, 7)


@pytest.mark.parametrize("size", [8, 9, 12, 27])
@pytest.mark.parametrize("build", DIGIT_NETWORKS)
def test_digit_network_takes_tiny_images(build: Build, size: int) -> None:
    network = build(num_classes=10, in_channels=1, image_size=size)
    assert network(torch.randn(2, 1, size, size)).shape == (2, 10)


@pytest.mark.parametrize("build", NETWORKS)
def test_oblong_images_will_do(build: Build) -> None:
    network = build(num_classes=4, in_channels=3, image_size=32).eval()
    with torch.no_grad():
        assert network(torch.randn(2, 3, 32, 48)).shape == (2, 4)


@pytest.mark.parametrize("build", NETWORKS)
def test_item_alone_equals_item_in_batch(build: Build) -> None:
    network = build(num_classes=5, in_channels=3, image_size=32)
    images = torch.randn(4, 3, 32, 32)
    network(images)  # gives the norms statistics of their own
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(network(images[2:3]), network(images)[2:3], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("build", NETWORKS)
def test_gradient_reaches_every_parameter_of_a_grey_network(build: Build) -> None:
    network = build(num_classes=5, in_channels=1, image_size=32)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # ResNet's blocks begin as identities, with no gradient inside
    nn.functional.cross_entropy(network(torch.randn(4, 1, 32, 32)), torch.tensor([0, 1, 2, 3])).backward()
    without = [
        name
        for name, parameter in network.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.any())
    ]
    assert without == []


@pytest.mark.parametrize("build", NETWORKS)
def test_untrained_network_answers_with_small_numbers(build: Build) -> None:
    network = build(num_classes=5, in_channels=3, image_size=32).eval()
    with torch.no_grad():
        assert network(torch.randn(2, 3, 32, 32)).abs().max() < 20


@pytest.mark.parametrize("build", NETWORKS)
def test_last_layer_is_named_head(build: Build) -> None:
    network = build(num_classes=5, in_channels=3, image_size=32)
    assert head_of(network) is network.head
    assert list(network.named_modules())[-1][0] == "head"


@pytest.mark.parametrize(
    ("build", "least"), [(build, 28) for build in PHOTO_NETWORKS] + [(build, 8) for build in DIGIT_NETWORKS]
)
def test_too_small_images_are_refused_in_words(build: Build, least: int) -> None:
    with pytest.raises(ValueError, match=f"at least {least} x {least} pixels, not {least - 1}"):
        build(num_classes=5, image_size=least - 1)
    with pytest.raises(UsageError):  # the same fault, for the command line
        build(num_classes=5, image_size=least - 1)
    network = build(num_classes=5, in_channels=3, image_size=least)
    with pytest.raises(ValueError, match="at least"):
        network(torch.zeros(2, 3, least, least - 1))
    with pytest.raises(ValueError, match=r"takes images \(N, 3, H, W\)"):
        network(torch.zeros(2, 1, least, least))


@pytest.mark.parametrize("build", NETWORKS)
def test_same_seed_gives_same_weights(build: Build) -> None:
    def weights() -> torch.Tensor:
        torch.manual_seed(3)
        return nn.utils.parameters_to_vector(build(num_classes=3, image_size=32).parameters())

    assert torch.equal(weights(), weights())


@pytest.mark.parametrize("build", [AirNet, VGG, ResNet, MobileNet, LeNet, SmallCNN])  # the others take seconds each
def test_traced_network_takes_another_batch_size(build: Build) -> None:
    network = build(num_classes=3, in_channels=1, image_size=28).eval()
    traced = torch.jit.trace(network, torch.randn(2, 1, 28, 28))
    images = torch.randn(5, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(traced(images), network(images))


def _layers(network: nn.Module) -> set[str]:
    """Return the kinds of the layers without pools, dropout and what holds other layers."""
    leaves = [type(module).__name__ for module in network.modules() if not any(True for _ in module.children())]
    return {name for name in leaves if "Pool" not in name and name != "Dropout"}


@pytest.mark.parametrize("norm", NORM_NAMES)
@pytest.mark.parametrize("build", WITH_NORMS)
def test_a_network_has_one_norm_throughout_and_biases_only_without(build: Build, norm: str) -> None:
    network = build(num_classes=4, in_channels=1, image_size=28, norm=norm)
    kind = {"batch": "BatchNorm2d", "none": "Identity"}.get(norm, "GroupNorm")
    assert _layers(network) - {"Identity"} == {"Conv2d", "ReLU", "Linear", kind} - {"Identity"}
    norms = [module for module in network.modules() if isinstance(module, nn.GroupNorm)]
    groups = {"layer": lambda each: 1, "instance": lambda each: each.num_channels}.get(norm)
    assert groups is None or all(each.num_groups == groups(each) for each in norms)
    biased = {module.bias is not None for module in network.modules() if isinstance(module, nn.Conv2d)}
    assert biased == {norm == "none"}
    with torch.no_grad():
        logits = network.eval()(torch.randn(2, 1, 28, 28))
    assert logits.shape == (2, 4)
    assert logits.abs().max() < 100


@pytest.mark.parametrize("activation", ACTIVATION_NAMES[1:])
@pytest.mark.parametrize("build", [*WITH_NORMS, LeNet])
def test_a_network_has_one_activation_throughout(build: Build, activation: str) -> None:
    network = build(num_classes=4, in_channels=1, image_size=28, activation=activation)
    kinds = {"leaky": "LeakyReLU", "gelu": "GELU", "silu": "SiLU", "sigmoid": "Sigmoid", "tanh": "Tanh"}
    kind = {**kinds, "mish": "Mish", "selu": "SELU"}[activation]
    assert _layers(network) - {"Identity"} - {"BatchNorm2d"} == {"Conv2d", kind, "Linear"}
    with torch.no_grad():
        assert network.eval()(torch.randn(2, 1, 28, 28)).shape == (2, 4)


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_residual_blocks_begin_as_identities_with_any_norm(norm: str) -> None:
    network = ResNet(num_classes=4, in_channels=1, width=8, norm=norm)
    block, features = network.layer2[1], torch.rand(2, 16, 6, 6)
    with torch.no_grad():
        torch.testing.assert_close(block(features), features)
