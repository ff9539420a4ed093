from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.optim.layers import freeze_layers, layer_rates
from dlcli.models.heads import head_of
from dlcli.models.images.small_stem import FAMILIES
from dlcli.models.images.zoo import (
    _small_patch,
    build_headless,
    build_torchvision,
    check_shape,
    classifier_names,
)

REPRESENTATIVE = (
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "inception_v3",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "regnet_x_400mf",
    "regnet_y_400mf",
    "resnet18",
    "resnext50_32x4d",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
    "swin_t",
)


def _build_shapes(name: str, **options: Any) -> nn.Module:
    """Return a network whose layers have shapes and no values: the largest has 645 million weights."""
    if not name.startswith("regnet"):  # which computes its widths with tensors
        with torch.device("meta"):
            return build_torchvision(name, **options)
    with pytest.MonkeyPatch.context() as patch:
        for function in ("kaiming_uniform_", "kaiming_normal_", "uniform_", "normal_"):
            patch.setattr(nn.init, function, lambda tensor, *args, **options: tensor)
        return build_torchvision(name, **options).to("meta")


def _last_map_side(model: nn.Module, size: int) -> int:
    """Return the side of the map that the last layer but pools and heads makes."""
    sides: list[int] = []

    def note(module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 4 and isinstance(module, nn.Conv2d):
            sides.append(output.shape[-1])

    for module in model.modules():
        module.register_forward_hook(note)
    assert model.eval()(torch.zeros(2, 3, size, size, device="meta")).shape == (2, 5)
    return min(side for side in sides if side > 1)


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_32_pixels_leave_a_map_of_an_eighth(name: str) -> None:
    side = _last_map_side(_build_shapes(name, num_classes=5, image_size=32), 32)
    # Inception v3 does not pad. Squeezenet pools three times, the first of which goes. Swin merges without convolving.
    assert side == {"inception_v3": 2, "squeezenet1_1": 7, "swin_t": 32}.get(name, 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", classifier_names())
def test_every_classifier_takes_32_pixels_or_says_what_it_needs(name: str) -> None:
    if name.startswith("maxvit"):
        with pytest.raises(UsageError, match="multiple of 224"):
            build_torchvision(name, num_classes=5, image_size=32)
        return
    model = _build_shapes(name, num_classes=5, in_channels=1, image_size=32).eval()
    assert model(torch.zeros(2, 1, 32, 32, device="meta")).shape == (2, 5)
    assert head_of(model) is [layer for layer in model.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))][-1]


def test_small_resnet18_has_a_3x3_stride_1_stem_and_no_max_pool() -> None:
    model = build_torchvision("resnet18", num_classes=10, image_size=32)
    assert (model.conv1.kernel_size, model.conv1.stride, model.conv1.padding) == ((3, 3), (1, 1), (1, 1))
    assert not any(isinstance(module, nn.MaxPool2d) for module in model.modules())
    # 11,173,962 is the count of github.com/kuangliu/pytorch-cifar's ResNet18.
    assert sum(parameter.numel() for parameter in model.parameters()) == 11_173_962


@pytest.mark.parametrize("name", ["vgg11_bn", "vgg13"])
def test_without_its_head_a_vgg_has_the_same_layers_with_fresh_weights(name: str) -> None:
    with torch.device("meta"):
        whole = build_torchvision(name, num_classes=5, in_channels=1, image_size=96)
    body = build_headless(name, in_channels=1, image_size=96)
    wanted = {key: tuple(value.shape) for key, value in whole.state_dict().items() if not key.startswith("classifier")}
    assert {key: tuple(value.shape) for key, value in body.state_dict().items()} == wanted
    for layer in body.modules():
        if isinstance(layer, nn.Conv2d):
            fan_out = 9 * layer.out_channels
            assert float(layer.weight.detach().std(correction=0)) == pytest.approx((2 / fan_out) ** 0.5, rel=0.12)
            assert not layer.bias.any()
        elif isinstance(layer, nn.BatchNorm2d):
            assert (layer.weight == 1).all() and not layer.bias.any()
            assert (layer.running_var == 1).all() and not layer.running_mean.any()


def test_a_head_that_is_not_wide_stays() -> None:
    body, whole = (
        build("squeezenet1_1") for build in (build_headless, lambda name: build_torchvision(name, num_classes=1))
    )
    assert list(body.state_dict()) == list(whole.state_dict())


def test_large_resnet18_is_torchvision_s() -> None:
    model = build_torchvision("resnet18", num_classes=1000)
    assert sum(parameter.numel() for parameter in model.parameters()) == 11_689_512
    assert model.conv1.kernel_size == (7, 7)


@pytest.mark.parametrize(("size", "patches"), [(8, 8), (28, 7), (32, 8), (48, 8), (64, 8)])
def test_vit_cuts_small_images_into_a_useful_number_of_patches(size: int, patches: int) -> None:
    assert size / _small_patch(size) == patches


def test_vit_s_small_form_differs_in_its_patches_alone() -> None:
    with torch.device("meta"):
        small, large = (build_torchvision("vit_b_32", num_classes=5, image_size=size) for size in (32, 224))
        assert small(torch.zeros(2, 3, 32, 32)).shape == (2, 5)
    shapes = [{key: value.shape for key, value in model.state_dict().items()} for model in (small, large)]
    assert shapes[0].keys() == shapes[1].keys()
    assert {key for key in shapes[0] if shapes[0][key] != shapes[1][key]} == {
        "conv_proj.weight",
        "encoder.pos_embedding",
    }


def test_vit_takes_a_large_size_of_whole_patches() -> None:
    with torch.device("meta"):
        assert build_torchvision("vit_b_16", num_classes=5, image_size=96)(torch.zeros(2, 3, 96, 96)).shape == (2, 5)


@pytest.mark.parametrize(
    ("name", "size", "needs"),
    [
        ("vgg11", 28, "at least 32 x 32"),
        ("inception_v3", 70, "at least 75 x 75"),
        ("inception_v3", 16, "at least 21 x 21"),
        ("densenet121", 7, "at least 8 x 8"),
        ("vit_b_16", 100, "multiple of 16"),
        ("maxvit_t", 32, "multiple of 224"),
    ],
)
def test_size_that_cannot_run_is_refused_with_what_it_needs(name: str, size: int, needs: str) -> None:
    with pytest.raises(UsageError, match=needs) as caught:
        build_torchvision(name, num_classes=5, image_size=size)
    assert caught.value.hint is not None
    assert "--image-size" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("convnext_tiny", "convnext"),
        ("densenet121", "densenet"),
        ("inception_v3", "inception"),
        ("googlenet", "googlenet"),
    ],
)
def test_least_size_runs_and_one_pixel_less_cannot(name: str, family: str) -> None:
    least = FAMILIES[family].min_small
    model = build_torchvision(name, num_classes=5, image_size=least).eval()
    with torch.no_grad():
        assert model(torch.zeros(2, 3, least, least)).shape == (2, 5)
        with pytest.raises(RuntimeError):
            model(torch.zeros(2, 3, least - 1, least - 1))


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "mobilenet_v3_small"])
def test_grey_images_will_do_and_only_the_head_stays_trainable(name: str) -> None:
    model = build_torchvision(name, num_classes=5, in_channels=1, image_size=32)
    freeze_layers(model, layer_rates(model, TrainConfig(freeze="head")))
    before = {key: value.clone() for key, value in model.named_buffers()}
    model.train()(torch.randn(2, 1, 32, 32)).sum().backward()
    assert all(torch.equal(value, before[key]) for key, value in model.named_buffers())
    trainable = {parameter for parameter in model.parameters() if parameter.grad is not None}
    assert trainable == set(head_of(model).parameters())


@pytest.mark.parametrize("name", ["vit_b_16", "maxvit_t"])
def test_networks_of_one_square_size_refuse_other_shapes(name: str) -> None:
    with pytest.raises(UsageError, match="28 x 44") as caught:
        check_shape(name, 28, 44)
    assert "--image-size 28" in str(caught.value.hint)
    check_shape(name, 28, 28)
    check_shape("resnet18", 28, 44)


def test_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        build_torchvision("resnet81", num_classes=5)
    assert caught.value.hint == "did you mean 'resnet18'?"


def test_channels_other_than_grey_or_rgb_are_refused() -> None:
    with pytest.raises(UsageError, match="1 or 3 channels"):
        build_torchvision("resnet18", num_classes=5, in_channels=4)


def test_names_are_those_of_classifiers_alone() -> None:
    names = classifier_names()
    assert {"resnet18", "vit_b_16", "vgg16_bn"} < set(names)
    assert not any(word in name for name in names for word in ("quantized", "rcnn", "deeplab", "raft", "r3d"))
