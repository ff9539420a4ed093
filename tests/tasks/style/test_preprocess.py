from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from dlcli.core.errors import DataError, RunError, UsageError
from dlcli.tasks.style.preprocess import EXPORTED, LEAST_SIDE_PX, StyleAssets, on_canvas, resized, to_size

TWO = StyleAssets(("apple", "orange"), ("AtoB", "BtoA"), 128, 4)


def test_assets_come_back_from_json():
    assert StyleAssets.from_json(TWO.to_json()) == TWO
    exported = {**TWO.to_json(), EXPORTED: {"direction": "BtoA"}}
    assert StyleAssets.from_json(exported) == dataclasses.replace(TWO, exported="BtoA")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("domains", ["apple"]),
        ("domains", None),
        ("directions", []),
        ("directions", ["AtoC"]),
        ("directions", "AtoB"),
        ("preprocess", None),
        ("preprocess", {"size": 128}),
        ("preprocess", {"size": 128, "stride": 0}),
        ("preprocess", {"size": 10**9, "stride": 4}),
        ("preprocess", {"size": "128", "stride": 4}),
        (EXPORTED, {"direction": "BtoC"}),
    ],
)
def test_damaged_assets_are_refused(name, value):
    with pytest.raises(RunError):
        StyleAssets.from_json({**TWO.to_json(), name: value})


def test_directions_are_chosen_where_there_are_some():
    one, exported = dataclasses.replace(TWO, directions=("BtoA",)), dataclasses.replace(TWO, exported="BtoA")
    assert [TWO.choose(None), TWO.choose("BtoA"), one.choose(None), exported.choose(None)] == [
        "AtoB",
        "BtoA",
        "BtoA",
        "BtoA",
    ]
    with pytest.raises(UsageError, match="translates BtoA only"):
        one.choose("AtoB")
    with pytest.raises(UsageError, match="exported for BtoA"):
        exported.choose("AtoB")


def test_directions_name_their_domains():
    assert (TWO.names("AtoB"), TWO.names("BtoA")) == (("apple", "orange"), ("orange", "apple"))
    assert [TWO.domain(each, is_source=True) for each in TWO.directions] == [0, 1]
    assert (TWO.opposite("AtoB"), dataclasses.replace(TWO, directions=("AtoB",)).opposite("AtoB")) == ("BtoA", None)


@pytest.mark.parametrize("stride", [4, 32, 256])
@pytest.mark.parametrize("size", [(1, 1), (31, 33), (64, 100), (7, 300)])
def test_a_canvas_holds_the_image_and_its_mirror_image(size, stride):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    canvas = on_canvas(image, stride)
    assert np.array_equal(canvas[: size[0], : size[1]], image)
    for axis, length in enumerate(size):
        assert canvas.shape[axis] % stride == 0
        assert LEAST_SIDE_PX <= canvas.shape[axis] < max(length, LEAST_SIDE_PX) + stride
    wider = canvas[: size[0], size[1] : 2 * size[1]]
    assert np.array_equal(wider, image[:, ::-1][:, : wider.shape[1]])


def test_the_shorter_side_is_scaled_and_large_images_are_refused():
    image = np.zeros((100, 250, 3), np.uint8)
    assert resized(image, None) is image
    assert resized(image, 40).shape == (40, 100, 3)
    assert resized(np.zeros((1, 1, 3), np.uint8), 32).shape == (32, 32, 3)
    with pytest.raises(DataError, match="at most 4,194,304 can be translated; use --size"):
        resized(np.zeros((2049, 2048, 3), np.uint8), None)
    with pytest.raises(DataError, match="4096000 x 4096"):  # no such image is made
        resized(np.zeros((1, 1000, 3), np.uint8), 4096)


def test_shrinking_averages():
    image = np.array([[0, 100], [200, 100]], np.uint8)[..., None].repeat(3, axis=2)
    assert to_size(image, (1, 1)).ravel().tolist() == [100, 100, 100]
