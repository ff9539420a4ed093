"""Masks by pycocotools' measure, outlines that give the mask back, and damaged ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as reference

from dlcli.data.annotated.masks import from_pixels, hull_of, polygons_of, to_pixels, to_rle


def blobs(seed: int, height: int = 23, width: int = 31) -> np.ndarray:
    random = np.random.default_rng(seed)
    coarse = random.random((height // 3 + 1, width // 3 + 1)) < 0.4
    return coarse.repeat(3, 0).repeat(3, 1)[:height, :width].astype(np.uint8)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31), share=st.floats(0, 1))
def test_run_lengths_are_those_of_pycocotools(seed: int, share: float) -> None:
    pixels = (np.random.default_rng(seed).random((17, 13)) < share).astype(np.uint8)
    rle = from_pixels(pixels)
    expected = reference.encode(np.asfortranarray(pixels))
    assert rle == {"size": [17, 13], "counts": expected["counts"].decode()}
    assert to_rle(rle, 17, 13) == expected
    np.testing.assert_array_equal(to_pixels(rle, 17, 13), pixels)


@settings(max_examples=25)
@given(corners=st.lists(st.floats(-5, 40), min_size=6, max_size=16).filter(lambda corners: len(corners) % 2 == 0))
def test_polygons_are_filled_as_by_pycocotools(corners: list[float]) -> None:
    expected = reference.decode(reference.merge(reference.frPyObjects([corners, [2, 2, 9, 2, 9, 9]], 23, 31)))
    np.testing.assert_array_equal(to_pixels([corners, [2.0, 2.0, 9.0, 2.0, 9.0, 9.0]], 23, 31), expected)


def test_runs_as_a_list_are_those_that_are_compressed() -> None:
    runs = {"size": [4, 3], "counts": [2, 3, 4, 1, 2]}
    expected = np.zeros(12, np.uint8)
    expected[2:5] = expected[9] = 1
    np.testing.assert_array_equal(to_pixels(runs, 4, 3), expected.reshape(3, 4).T)
    assert to_rle(runs, 4, 3) == reference.frPyObjects(runs, 4, 3)


@pytest.mark.parametrize("seed", range(8))
def test_the_outlines_of_a_mask_without_holes_give_it_back(seed: int) -> None:
    pixels = to_pixels([[*np.random.default_rng(seed).uniform(0, 30, 12)]], 31, 31)
    pixels[1:4, 1:4] = 1
    filled = to_pixels(polygons_of(pixels), 31, 31)
    holes = to_pixels(polygons_of(1 - filled), 31, 31)
    np.testing.assert_array_equal(filled | pixels, filled)  # at most holes are filled
    np.testing.assert_array_equal(to_pixels(polygons_of(filled), 31, 31), filled)
    assert holes.shape == filled.shape


def test_the_outline_of_a_pixel_is_a_square() -> None:
    pixels = np.zeros((5, 5), np.uint8)
    pixels[2, 3] = 1
    (polygon,) = polygons_of(pixels)
    corners = sorted(zip(polygon[::2], polygon[1::2], strict=True))
    assert corners == [(3.25, 2.25), (3.25, 2.75), (3.75, 2.25), (3.75, 2.75)]


def test_the_hull_holds_all_masks() -> None:
    first, second = np.zeros((2, 20, 30), np.uint8)
    first[3:5, 7:9] = 1
    second[10:12, 0:3] = 1
    assert hull_of([from_pixels(first)], 20, 30) == (7, 3, 9, 5)
    assert hull_of([from_pixels(first), from_pixels(second)], 20, 30) == (0, 3, 9, 12)
    with pytest.raises(ValueError, match="without a pixel"):
        hull_of([from_pixels(np.zeros((20, 30), np.uint8))], 20, 30)


@pytest.mark.parametrize(
    "damaged",
    [
        {"size": [20, 30], "counts": counts}
        for counts in (
            "", "0", "zzzz", "\0", "o" * 100, "5;", "\ud800", "é", b"\xff", None, 5, [600.0], [-1, 601], [True] * 600,
            [599], ["600"], [[600]], {"a": 1}, "P" * 5, 3.5,
        )
    ] + [
        {}, {"size": [20, 30]}, {"size": [30, 20], "counts": [600]}, {"size": 5, "counts": [600]}, {"counts": [600]},
        {"size": ["20", "30"], "counts": [600]}, [], [[]], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5, 6, 7]], [5], ["abcdef"],
        [[float("nan")] * 6], [[float("inf")] * 6], [[1e30] * 6], [["1"] * 6], [[None] * 6], None, 5, "text",
        [[1, 2, 3, 4, 5, 6], None],
    ],
)  # fmt: skip
def test_a_damaged_mask_is_a_value_error(damaged: Any) -> None:
    for read in (to_rle, to_pixels, lambda mask, height, width: hull_of([mask], height, width)):
        with pytest.raises(ValueError, match=r"mask|polygon|run lengths"):
            read(damaged, 20, 30)


@settings(max_examples=100)
@given(counts=st.binary(max_size=12) | st.text("0123PQ`aoz_@", max_size=12))
def test_any_bytes_are_a_mask_or_a_value_error(counts: bytes | str) -> None:
    try:
        pixels = to_pixels({"size": [7, 9], "counts": counts}, 7, 9)
    except ValueError:
        return
    assert pixels.shape == (7, 9)
    again = reference.decode({"size": [7, 9], "counts": counts})
    np.testing.assert_array_equal(pixels, again)
