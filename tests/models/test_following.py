"""The fields that are followed by geometry equal those that gradients measure."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from dlcli.models.following import FieldFollower
from dlcli.models.images.inception import Inception
from dlcli.models.images.peleenet import PeleeNet
from dlcli.models.images.zoo import build_torchvision
from dlcli.models.receptive_field import measure_receptive_field
from dlcli.models.summary import summarise

IMAGE = torch.zeros(1, 3, 65, 65)


def follow(compute: Callable[[Tensor], Tensor], image: Tensor = IMAGE) -> int | None:
    with torch.no_grad(), FieldFollower(image) as follower:
        output = compute(image)
    field = follower.field_of(output)
    return field.side if field is not None else None


def conv(kernel: int, **options: int) -> nn.Conv2d:
    return nn.Conv2d(3, 3, kernel, padding=options.pop("padding", kernel // 2), **options)


@pytest.mark.parametrize(
    "layers",
    [
        [conv(3, stride=2), conv(3, stride=2), conv(3)],
        [conv(3), nn.MaxPool2d(2), conv(5), nn.AvgPool2d(3, 2, 1), conv(1), conv(3)],
        [conv(3, padding=4, dilation=4), nn.MaxPool2d(3, 1, 1)],
        [conv(3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout2d(), nn.PixelUnshuffle(1), conv(3)],
        [nn.ZeroPad2d((1, 2, 3, 0)), conv(4, padding=0), nn.ReflectionPad2d(1), conv(3, padding=0)],
        [conv(3), nn.ChannelShuffle(3), conv(3, groups=3)],
        [nn.Conv2d(3, 3, (1, 7), padding="same"), nn.Conv2d(3, 3, (2, 2), padding="same")],
    ],
)
def test_a_chain_of_layers_is_followed_as_its_gradient_shows(layers: list[nn.Module]) -> None:
    model = nn.Sequential(*layers).eval()
    assert follow(model) == measure_receptive_field(model, IMAGE)


def test_a_dilated_pool_is_as_wide_as_its_outermost_pixels() -> None:
    assert follow(nn.Sequential(conv(3), nn.MaxPool2d(3, 1, 1, dilation=2))) == 3 + 2 * 2


def test_branches_see_what_the_widest_sees() -> None:
    narrow, wide = conv(3), conv(7)
    assert follow(lambda image: narrow(image) + wide(image)) == 7
    assert follow(lambda image: torch.cat([wide(image), narrow(image)], 1)) == 7
    assert follow(lambda image: (image.float() / 255).to(torch.float64).sigmoid()) == 1


@pytest.mark.parametrize(
    "compute",
    [
        lambda image: image.mean((2, 3)),
        lambda image: image.flatten(1),
        lambda image: nn.functional.adaptive_avg_pool2d(image, 4),
        lambda image: nn.functional.interpolate(image, scale_factor=2),
        lambda image: image.permute(0, 2, 3, 1),
        lambda image: image * image.mean((2, 3), keepdim=True),
        lambda image: image.flatten(2).softmax(-1).view_as(image),
        lambda image: nn.functional.conv_transpose2d(image, torch.ones(3, 3, 2, 2), stride=2),
        lambda image: torch.ones(2, 2, 4, 4),
    ],
)
def test_what_is_not_followed_has_no_field(compute: Callable[[Tensor], Tensor]) -> None:
    assert follow(compute) is None


@pytest.mark.parametrize(
    ("build", "side"),
    [
        (lambda: build_torchvision("mobilenet_v2", num_classes=2), 608),
        (lambda: build_torchvision("shufflenet_v2_x0_5", num_classes=2), 608),
        (lambda: Inception(num_classes=2, image_size=224), 736),
    ],
)
@pytest.mark.slow
def test_the_last_map_of_a_network_is_followed_as_its_gradient_shows(build: Callable[[], nn.Module], side: int) -> None:
    summary = summarise(build(), torch.zeros(1, 3, side, side))
    last = [layer.receptive_field for layer in summary.layers if layer.receptive_field is not None][-1]
    assert last == summary.receptive_field


def test_a_layer_with_another_step_has_its_own_field() -> None:
    fields = [layer.receptive_field for layer in summarise(PeleeNet(num_classes=2), torch.zeros(1, 3, 64, 64)).layers]
    assert fields[0] == 3
    known = [field for field in fields if field is not None]
    assert max(known) > 64, "the theoretical field, also where the image ends before it does"
