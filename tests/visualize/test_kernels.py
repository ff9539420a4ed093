"""The kernels of a convolution: which one, and its picture."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.visualize import kernels
from dlcli.visualize.canvas import tile
from dlcli.visualize.kernels import MOST_INPUTS, MOST_OUTPUTS, conv_kernels, draw_kernels


@pytest.fixture
def model() -> nn.Sequential:
    stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    return nn.Sequential(OrderedDict(stem=stem, down=nn.Conv2d(4, 6, 3, groups=2), head=nn.Linear(6, 2)))


def test_first_convolution_is_the_default(model: nn.Sequential) -> None:
    name, weights = conv_kernels(model)
    assert name == "stem.0"
    np.testing.assert_array_equal(weights, model.stem[0].weight.detach().numpy())
    assert conv_kernels(model, "down")[1].shape == (6, 2, 3, 3)


def test_weights_of_another_number_format_come_as_float32(model: nn.Sequential) -> None:
    _, weights = conv_kernels(model.bfloat16())
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(weights, model.stem[0].weight.detach().float().numpy())


def test_what_is_no_convolution_is_a_usage_error(model: nn.Sequential) -> None:
    with pytest.raises(UsageError, match="is not a convolution"):
        conv_kernels(model, "head")
    with pytest.raises(UsageError, match="no layer") as caught:
        conv_kernels(model, "stem.9")
    assert "stem.0" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="no convolution"):
        conv_kernels(nn.Linear(2, 2))


def test_colour_kernels_share_one_scale_around_grey() -> None:
    weights = np.zeros((4, 3, 5, 5))
    weights[0, 0, 0, 0], weights[3, 2, 4, 4] = 2.0, -1.0
    expected = np.full((4, 5, 5, 3), 128, np.uint8)
    expected[0, 0, 0, 0], expected[3, 4, 4, 2] = 255, 64
    grid = tile(expected, gap=4)
    picture = draw_kernels(weights)
    left = (picture.shape[1] - grid.shape[1]) // 2
    assert np.array_equal(picture[-grid.shape[0] :, left : left + grid.shape[1]], grid)


def test_many_slices_are_bounded() -> None:
    assert max(draw_kernels(np.random.default_rng(0).normal(size=(512, 256, 3, 3))).shape) < 2100
    assert max(draw_kernels(np.zeros((512, 1, 3, 3))).shape) < 2100


def test_a_kernel_over_one_input_is_blue_below_white_at_and_red_above_zero() -> None:
    weights = np.zeros((3, 1, 2, 2))
    weights[0], weights[2] = -1.0, 1.0
    picture = draw_kernels(weights).reshape(-1, 3)
    blue, white, red = (5, 48, 97), (247, 246, 246), (103, 0, 31)  # the ends and the middle of ColorBrewer's RdBu
    assert all((picture == colour).all(axis=1).any() for colour in (blue, white, red))


def test_kernels_beyond_the_bounds_change_nothing_but_the_caption() -> None:
    weights = np.random.default_rng(0).uniform(-1, 1, (MOST_OUTPUTS, MOST_INPUTS, 1, 1))
    weights[0, 0] = 2.0  # the scale of both
    more = np.concatenate([weights, np.ones((9, MOST_INPUTS, 1, 1))])
    bounded, whole = draw_kernels(more), draw_kernels(weights)
    assert bounded.shape == whole.shape
    assert np.array_equal(bounded[100:], whole[100:])


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((2, 3, 5, 7), "2 kernels of 5 x 7 over red, green, blue"),
        ((9, 1, 3, 1), "9 kernels of 3 x 1 over one input each"),
        ((70, 1, 3, 3), "the first 64 of 70 kernels"),
        ((65, 33, 1, 1), "the first 64 of 65 outputs, columns: the first 32 of 33 inputs"),
        ((4, 2, 1, 1), "rows: 4 outputs, columns: 2 inputs"),
    ],
)
def test_the_caption_counts_what_is_drawn(shape: tuple[int, ...], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(kernels, "add_title", lambda picture, texts: (lines.extend(texts), picture)[1])
    draw_kernels(np.ones(shape))
    assert lines[0] == "Kernels"
    assert says in lines[1]


def test_every_pair_of_output_and_input_has_its_tile_in_its_row_and_column() -> None:
    weights = np.zeros((3, 2, 1, 1))
    weights[1, 1] = 1.0
    weights[2, 0] = -1.0
    picture = draw_kernels(weights)
    places = {}
    for name, colour in (("positive", (103, 0, 31)), ("negative", (5, 48, 97))):
        rows, columns = np.nonzero((picture[:-26] == colour).all(axis=2))  # without the legend
        assert np.ptp(rows) == np.ptp(columns) == 23  # one tile of 24 pixels
        places[name] = (rows.min(), columns.min())
    (first_row, first_column), (second_row, second_column) = places["positive"], places["negative"]
    assert (second_row - first_row, first_column - second_column) == (26, 26)


def test_another_unit_of_the_weights_changes_no_colour() -> None:
    weights = np.random.default_rng(0).normal(size=(4, 1, 3, 3))
    grid = tile(np.zeros((4, 3, 3), np.uint8), gap=4)  # the tiles alone stand in the middle, over a legend of 26 px

    def tiles(picture: np.ndarray) -> np.ndarray:
        left = (picture.shape[1] - grid.shape[1]) // 2
        return picture[-26 - len(grid) : -26, left : left + grid.shape[1]]

    first, second = (tiles(draw_kernels(weights * factor)) for factor in (1, 1000))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, tiles(draw_kernels(-weights)))


def test_kernels_of_zeros_alone_are_white() -> None:
    picture = draw_kernels(np.zeros((1, 1, 3, 3)))
    assert (picture == (247, 246, 246)).all(axis=2).sum() >= 64 * 64
