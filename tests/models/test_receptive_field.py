"""Receptive fields of networks whose fields can be worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.models.receptive_field import measure_receptive_field

IMAGE = torch.zeros(1, 3, 65, 65)


def conv(kernel: int, channels: int = 3, **options: int) -> nn.Conv2d:
    return nn.Conv2d(channels, 3, kernel, padding=options.pop("padding", kernel // 2), **options)


@pytest.mark.parametrize(
    ("layers", "side"),
    [
        ([conv(1)], 1),
        ([conv(3)], 3),
        ([conv(3), conv(3)], 5),
        ([conv(3), conv(3), conv(3)], 7),
        ([conv(3, stride=2), conv(3)], 3 + 2 * 2),
        ([conv(3), nn.MaxPool2d(2), conv(3)], 3 + 1 + 2 * 2),
        ([conv(3, padding=2, dilation=2)], 5),
        ([conv(3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.5), conv(3)], 5),
    ],
)
def test_the_field_is_the_one_worked_out_by_hand(layers, side):
    # r = 1 + sum over layers of (kernel - 1) * product of the strides before it (Araujo et al. 2019, Distill)
    assert measure_receptive_field(nn.Sequential(*layers), IMAGE) == side


def test_what_follows_the_last_map_does_not_count():
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)]
    assert measure_receptive_field(nn.Sequential(conv(3), conv(3), *head), IMAGE) == 5


def test_a_field_that_reaches_the_border_has_no_side():
    assert measure_receptive_field(nn.Sequential(conv(3), conv(3)), IMAGE[..., :5, :5]) is None
    assert measure_receptive_field(nn.Sequential(nn.Flatten(), nn.Linear(3 * 65 * 65, 2)), IMAGE) is None


def test_attention_has_no_field():
    class Attention(nn.Module):
        def forward(self, x):
            return x

    assert measure_receptive_field(nn.Sequential(conv(3), Attention()), IMAGE) is None


def test_two_paths_are_as_wide_as_the_wider_one_and_do_not_cancel_out():
    class Paths(nn.Module):
        def __init__(self):
            super().__init__()
            self.narrow, self.wide, self.last = conv(3), conv(7), conv(1)

        def forward(self, x):
            return self.last(self.narrow(x) - self.wide(x))

    assert measure_receptive_field(Paths(), IMAGE) == 7


def test_the_network_the_image_and_the_generator_stay_as_they_are():
    model = nn.Sequential(conv(3), nn.BatchNorm2d(3), nn.ReLU()).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    measure_receptive_field(model, IMAGE)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [type(module) for module in model] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert model.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert not IMAGE.any()


@pytest.mark.parametrize(("kernel", "side"), [((3, 7), 7), ((7, 3), 7), ((1, 5), 5)])
def test_of_an_oblong_field_the_longer_side_is_told(kernel, side):
    layer = nn.Conv2d(3, 3, kernel, padding=tuple(size // 2 for size in kernel))
    assert measure_receptive_field(layer, IMAGE) == side


@pytest.mark.parametrize("weight", [0.0, -1.0, 1e-30, 1e30])
def test_weights_do_not_matter(weight):
    model = nn.Sequential(conv(3), nn.ReLU(), conv(3), nn.ReLU())
    for parameter in model.parameters():
        nn.init.constant_(parameter, weight)
    assert measure_receptive_field(model, IMAGE) == 5


def test_many_layers_lose_no_pixel_at_the_border_of_the_field():
    model = nn.Sequential(*(conv(3) for _ in range(40)))
    assert measure_receptive_field(model, torch.zeros(1, 3, 99, 99)) == 81
