"""How an image of any size becomes the network's input: the centre, in proportion, and only from sound values."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.core.errors import RunError
from dlcli.data.images.decoding import resize_image
from dlcli.data.images.preprocess import Preprocess

PREPROCESS = Preprocess(3, 24, 32, (0.5, 0.4, 0.3), (0.2, 0.25, 1.0))


def square(size, channels=3):
    return Preprocess(channels, size, size, (0.5,) * channels, (0.2,) * channels)


def ramp(height, width):
    """Return an image whose red is its column and whose green is its row."""
    rows, columns = np.indices((height, width))
    return np.stack([columns, rows, np.zeros_like(rows)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("preprocess", [PREPROCESS, square(1, 1), square(8192)])
def test_what_a_run_keeps_is_read_back_equal(preprocess):
    assert Preprocess.from_json(json.loads(json.dumps(preprocess.to_json()))) == preprocess


@pytest.mark.parametrize("value", [None, [], "x", 3, {}])
def test_what_is_no_preprocessing_is_refused(value):
    with pytest.raises(RunError, match="damaged"):
        Preprocess.from_json(value)


@pytest.mark.parametrize("name", ["channels", "size", "mean", "std"])
def test_a_missing_field_is_named(name):
    value = PREPROCESS.to_json()
    del value[name]
    with pytest.raises(RunError, match=name):
        Preprocess.from_json(value)


@pytest.mark.parametrize(
    "change",
    [
        {"channels": 2, "mean": [0, 0], "std": [1, 1]},
        {"channels": 0, "mean": [], "std": []},
        {"channels": 1},
        {"channels": "three"},
        {"size": [24]},
        {"size": [24, 32, 3]},
        {"size": [0, 32]},
        {"size": [24, 8193]},
        {"size": ["a", "b"]},
        {"size": 24},
        {"mean": [0.5, 0.5]},
        {"mean": [0.5, 0.5, math.nan]},
        {"mean": "abc"},
        {"std": [0.2, 0.2, 0.0]},
        {"std": [0.2, 0.2, -0.2]},
        {"std": [0.2, 0.2, math.inf]},
        {"std": None},
    ],
    ids=str,
)
def test_values_that_cannot_be_are_refused(change):
    with pytest.raises(RunError, match="damaged"):
        Preprocess.from_json(PREPROCESS.to_json() | change)


def test_an_image_of_the_networks_size_is_handed_on_as_it_is():
    image = ramp(24, 32)
    assert PREPROCESS.fit(image) is image


@settings(max_examples=30)
@given(
    st.integers(1, 50), st.integers(1, 50), st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3])
)  # fmt: skip
def test_every_image_comes_out_at_the_networks_size(height, width, target_height, target_width, channels):
    preprocess = Preprocess(channels, target_height, target_width, (0.5,) * channels, (0.2,) * channels)
    image = np.full((height, width, channels), 77, np.uint8)
    fitted = preprocess.fit(image)
    np.testing.assert_array_equal(fitted, np.full((target_height, target_width, channels), 77, np.uint8))


def test_a_square_network_sees_the_centre_square_in_proportion():
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = ramp(10, 10) + 100
    np.testing.assert_array_equal(square(10).fit(image), ramp(10, 10) + 100)
    np.testing.assert_array_equal(square(5).fit(image), resize_image(ramp(10, 10) + 100, 5))


@pytest.mark.parametrize(("height", "width"), [(24, 32), (32, 24), (5, 8), (1, 4)])
def test_an_oblong_network_sees_the_middle_band_of_a_square_of_its_longer_side(height, width):
    side = max(height, width)
    fitted = Preprocess(3, height, width, (0.5,) * 3, (0.2,) * 3).fit(ramp(side, side))
    top, left = (side - height) // 2, (side - width) // 2
    np.testing.assert_array_equal(fitted[:, :, 1], np.arange(top, top + height)[:, None].repeat(width, 1))
    np.testing.assert_array_equal(fitted[:, :, 0], np.arange(left, left + width)[None].repeat(height, 0))


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("beside", [(0, 0), (0, 10), (14, 0)])
@pytest.mark.parametrize(("height", "width"), [(24, 32), (32, 24), (5, 8), (1, 4)])
def test_an_oblong_network_sees_the_largest_centred_window_of_its_proportions(height, width, beside, times):
    window = ramp(height, width).repeat(times, 0).repeat(times, 1)
    image = np.pad(window, (*((side, side) for side in beside), (0, 0)), constant_values=255)
    preprocess = Preprocess(3, height, width, (0.5,) * 3, (0.2,) * 3)
    np.testing.assert_array_equal(preprocess.fit(image), ramp(height, width))


def test_the_asset_says_how_an_image_of_another_size_is_fitted():
    assert square(24).to_json()["resize"] == "shorter side, then centre crop"  # as runs of former versions say
    assert PREPROCESS.to_json()["resize"] == "largest centred window, then scaled"


def test_a_mirrored_image_is_fitted_to_the_mirror_of_its_fit():
    image = np.random.default_rng(0).integers(0, 256, (48, 70, 3), dtype=np.uint8)
    first, second = PREPROCESS.fit(image), PREPROCESS.fit(image[:, ::-1])[:, ::-1]
    assert np.abs(first.astype(int) - second.astype(int)).max() <= 1


def test_the_fitted_image_is_uint8_and_the_source_unchanged():
    image = ramp(40, 60)
    before = image.copy()
    assert PREPROCESS.fit(image).dtype == np.uint8
    np.testing.assert_array_equal(image, before)
