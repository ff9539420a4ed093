"""Feature maps and kernels: what is taken out of a network, and that the network is left as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.visualize import features
from dlcli.visualize.canvas import Grid
from dlcli.visualize.features import (
    CONSTANT,
    NOT_FINITE,
    Layer,
    draw_features,
    feature_maps,
    layer_module,
    list_layers,
    run_order,
)


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.down = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.head = nn.Linear(6, 2)

    def forward(self, images: Tensor) -> Tensor:
        answer: Tensor = self.head(self.down(self.stem(images)).mean(dim=(2, 3)))
        return answer


class Failing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        self.conv(images)
        raise RuntimeError("out of order")


def num_hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


@pytest.fixture
def image() -> Tensor:
    return torch.rand(1, 3, 8, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model() -> Small:
    torch.manual_seed(0)
    return Small()


def test_layers_are_those_with_maps_in_the_order_of_the_modules(model: Small, image: Tensor) -> None:
    assert list_layers(model, image) == [
        Layer("stem", "Sequential", (4, 8, 12)),
        Layer("stem.0", "Conv2d", (4, 8, 12)),
        Layer("stem.1", "BatchNorm2d", (4, 8, 12)),
        Layer("stem.2", "ReLU", (4, 8, 12)),
        Layer("down", "Conv2d", (6, 4, 6)),
    ]


def test_maps_are_the_layer_s_own_answer_though_the_next_works_in_place(model: Small, image: Tensor) -> None:
    model.eval()
    with torch.no_grad():
        expected = model.stem[1](model.stem[0](image))[0].numpy()
    assert (expected < 0).any()
    np.testing.assert_array_equal(feature_maps(model, image, "stem.1"), expected)


def test_mirrored_image_gives_mirrored_maps_for_symmetric_kernels(model: Small, image: Tensor) -> None:
    with torch.no_grad():
        weight = model.stem[0].weight
        weight.copy_((weight + weight.flip(3)) / 2)
    maps = feature_maps(model, image, "stem")
    mirrored = feature_maps(model, image.flip(3), "stem")
    np.testing.assert_allclose(mirrored, maps[:, :, ::-1], atol=1e-6)
    assert not np.allclose(mirrored, maps)


def test_model_is_left_as_it_was(model: Small, image: Tensor) -> None:
    model.train()
    model.stem[1].eval()  # as a frozen network has it
    before = {name: value.clone() for name, value in model.state_dict().items()}
    feature_maps(model, image, "down")
    assert num_hooks(model) == 0
    assert [module.training for module in model.modules()] == [True, True, True, False, True, True, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_hooks_are_removed_and_modes_restored_on_an_error() -> None:
    model = Failing()
    with pytest.raises(RuntimeError, match="out of order"):
        feature_maps(model, torch.zeros(1, 1, 2, 2), "conv")
    assert num_hooks(model) == 0
    assert model.training


def test_unknown_layer_is_answered_with_a_near_name(model: Small, image: Tensor) -> None:
    with pytest.raises(UsageError) as caught:
        feature_maps(model, image, "dawn")
    assert "'dawn'" in caught.value.message
    assert caught.value.hint == "did you mean 'down'?"
    with pytest.raises(UsageError, match="not a map"):
        feature_maps(model, image, "head")


def test_every_channel_is_scaled_to_its_own_range() -> None:
    channel = np.arange(16.0).reshape(4, 4)
    one = draw_features(np.stack([channel, channel * 1e-3 - 5]))
    two = draw_features(np.stack([channel, channel]))
    assert np.array_equal(one, two)


def test_constant_channels_and_infinities_have_colours_of_their_own() -> None:
    maps = np.stack([np.full((4, 4), 0.7), np.arange(16.0).reshape(4, 4), np.full((4, 4), 0.1) + 1e-9])
    maps[1, 0, 0] = np.nan
    picture = draw_features(maps)
    side = (320 + 2) * 2 + 2  # two columns of cells of 4 x 80 px
    cells = picture[-side:, (picture.shape[1] - side) // 2 :]
    grid = Grid(2, 2, 320, 320, 0, 2)
    for index, pixel in ((0, CONSTANT), (1, NOT_FINITE), (2, CONSTANT)):
        top, left = grid.corner(index)
        assert tuple(cells[top, left]) == pixel
    top, left = grid.corner(1)
    assert tuple(cells[top + 319, left + 319]) == (253, 231, 37)  # viridis at its brightest


def test_max_channels_keeps_the_first_ones() -> None:
    maps = np.random.default_rng(0).normal(size=(9, 4, 4))
    bounded = draw_features(maps, max_channels=4, title="t")[-646:]
    whole = draw_features(maps[:4], title="t")[-646:]
    both = [picture[:, (picture.shape[1] - 646) // 2 :][:, :646] for picture in (bounded, whole)]
    assert np.array_equal(*both)


class Twice(nn.Module):
    """A convolution that runs on the image and again on its own answer, at half the size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        self.pool = nn.AvgPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        answer: Tensor = self.conv(self.pool(self.conv(images)))
        return answer


def test_a_layer_that_runs_twice_stands_twice_in_the_order_and_once_in_the_list() -> None:
    model, image = Twice(), torch.ones(1, 1, 4, 6)
    assert [(layer.name, layer.shape) for layer in run_order(model, image)] == [
        ("conv", (1, 4, 6)),
        ("pool", (1, 2, 3)),
        ("conv", (1, 2, 3)),
    ]
    assert [(layer.name, layer.shape) for layer in list_layers(model, image)] == [
        ("conv", (1, 2, 3)),
        ("pool", (1, 2, 3)),
    ]
    weight = float(model.conv.weight.detach())
    np.testing.assert_allclose(feature_maps(model, image, "conv"), np.full((1, 2, 3), weight**2), rtol=1e-6)


def test_layers_are_in_the_order_in_which_they_finish(model: Small, image: Tensor) -> None:
    assert [layer.name for layer in run_order(model, image)] == ["stem.0", "stem.1", "stem.2", "stem", "down"]


def test_a_layer_is_found_by_its_name(model: Small, image: Tensor) -> None:
    assert layer_module(model, image, "stem.1") is model.stem[1]


def test_one_image_is_looked_at_at_a_time(model: Small) -> None:
    with pytest.raises(ValueError, match="3"):
        feature_maps(model, torch.zeros(3, 3, 8, 8), "down")


def test_maps_of_another_number_format_come_as_float32(model: Small, image: Tensor) -> None:
    maps = feature_maps(model.bfloat16(), image.bfloat16(), "down")
    assert (maps.dtype, maps.shape) == (np.float32, (6, 4, 6))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.arange(32.0).reshape(2, 4, 4), "2 channels of 4 x 4"),
        (np.ones((3, 2, 5)), "3 constant"),
        (np.full((1, 2, 2), np.nan), "1 channels of 2 x 2"),
    ],
)
def test_the_caption_counts_channels_and_constant_ones(
    values: np.ndarray, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(features, "add_title", lambda picture, texts: (lines.extend(texts), picture)[1])
    draw_features(values)
    draw_features(np.concatenate([values] * 2), max_channels=len(values), title="层")
    assert says in lines[1]
    assert ("constant" in lines[1]) == (says == "3 constant")
    assert (lines[2], f"the first {len(values)} of {2 * len(values)}" in lines[3]) == ("层", True)


def test_a_channel_turned_upside_down_swaps_dark_and_bright() -> None:
    channel = np.array([[0.0, 1.0], [1.0, 0.0]])
    up, down = (draw_features(values[None])[-640:] for values in (channel, 5 - channel))
    assert np.array_equal(up[:, ::-1], down)
