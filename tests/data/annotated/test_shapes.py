"""Masks of files: sound ones pass as pycocotools reads them, damaged ones never reach a library."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as peer

from dlcli.data.annotated.masks import to_pixels
from dlcli.data.annotated.shapes import area_of_mask, checked_mask, cut_polygons, hull_of_mask, instances_of


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths_pass_unchanged_with_the_peers_area_and_hull(seed):
    random = np.random.default_rng(seed)
    pixels = (random.random((37, 53)) < random.random()).astype(np.uint8)
    rle = peer.encode(np.asfortranarray(pixels))
    for counts in (rle["counts"], rle["counts"].decode(), _runs(pixels)):
        mask = checked_mask({"size": [37, 53], "counts": counts}, 37, 53)
        assert np.array_equal(to_pixels(mask, 37, 53), pixels)
        assert area_of_mask(mask, 37, 53) == pixels.sum()
        left, top, across, down = peer.toBbox(rle)
        assert hull_of_mask(mask, 37, 53) == (left, top, left + across, top + down)


def _runs(pixels):
    flat = pixels.ravel(order="F").tolist()
    runs, value = [0], 0
    for each in flat:
        if each != value:
            runs.append(0)
            value = each
        runs[-1] += 1
    return runs


@pytest.mark.parametrize("seed", range(20))
def test_a_changed_character_is_found_or_harmless(seed):
    random = np.random.default_rng(seed)
    text = peer.encode(np.asfortranarray(random.random((20, 20)) < 0.5, np.uint8))["counts"].decode()
    for at in range(len(text)):
        damaged = {"size": [20, 20], "counts": text[:at] + chr(random.integers(32, 127)) + text[at + 1 :]}
        try:
            sound = checked_mask(damaged, 20, 20)
        except ValueError:
            continue
        assert to_pixels(sound, 20, 20).shape == (20, 20)
    with pytest.raises(ValueError, match="run lengths"):
        checked_mask({"size": [20, 20], "counts": text[:-1]}, 20, 20)


@pytest.mark.parametrize(
    "damaged",
    [
        *([], {}, [[]], [1, 2, 3], "text", 7),
        *([[1, 2, 3, 4]], [[1, 2, 3, 4, 5]], [[1, 2, 3, 4, 5, None]], [[1, 2, 3, 4, 5, "6"]]),
        *([[1, 2, 3, 4, 5, float("nan")]], [[1, 2, 3, 4, 5, 1e7]], [[1, 2, 3, 4, 5, 10**400]], [[[1, 2]] * 6]),
        *({"size": [3, 3], "counts": [9]}, {"size": [2, 2.0], "counts": [4]}, {"size": [2, 2]}),
        *({"size": [2, 2], "counts": [5]}, {"size": [2, 2], "counts": [5, -1]}, {"size": [2, 2], "counts": [True, 3]}),
        *({"size": [2, 2], "counts": ""}, {"size": [2, 2], "counts": "o" * 99}, {"size": [2, 2], "counts": "é"}),
        {"size": [2, 2], "counts": b"\xff"},
    ],
)
def test_damage_is_refused(damaged):
    with pytest.raises(ValueError):
        checked_mask(damaged, 2, 2)


def test_polygons_are_cut_and_measured():
    inside = [[1.0, 2.0, 11.0, 2.0, 11.0, 12.0, 1.0, 12.0]]
    assert cut_polygons(inside, 30, 40) == (inside, False)
    assert area_of_mask(inside, 30, 40) == 100 and hull_of_mask(inside, 30, 40) == (1, 2, 11, 12)
    rounding, is_cut = cut_polygons([[-0.5, 2, 40.5, 2, 40.5, 20.2]], 30, 40)
    assert rounding == [[0, 2, 40, 2, 40, 19.978, 0, 2.222]] and not is_cut
    assert cut_polygons([[-5, 2, 11, 2, 11, 10]], 30, 40) == ([[0, 2, 11, 2, 11, 10, 0, 4.5]], True)
    assert checked_mask([[1, 2.00049, 3, 4, 5, 6]], 30, 40) == [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]


@pytest.mark.parametrize(
    ("polygon", "expected", "area"),
    [
        ([-100, 0, 100, 0, -100, 200], (0, 0, 100, 100), 5000),  # half of a side, and a quarter of the area
        ([50, -50, 250, 150, 50, 350, -150, 150], (0, 0, 200, 200), 35000),  # the image without one of its corners
        ([-10, -10, 210, -10, 210, 210, -10, 210], (0, 0, 200, 200), 40000),  # no corner of it within
        ([10, -20, 30, 20, 50, -20, 70, 20, 90, -20], (20, 0, 80, 20), 400),  # two pieces
    ],
)
def test_what_is_beyond_the_image_is_cut_off_and_not_pressed_into_it(polygon, expected, area):
    cut, is_cut = cut_polygons([polygon], 200, 200)
    assert is_cut
    assert hull_of_mask(cut, 200, 200) == pytest.approx(expected, abs=1e-3)
    assert area_of_mask(cut, 200, 200) == pytest.approx(area, rel=1e-3)
    assert int(to_pixels(cut, 200, 200).sum()) == pytest.approx(area, rel=0.05)


def test_a_polygon_outside_is_left_out_and_its_other_parts_stay():
    inside, outside = [1.0, 2.0, 11.0, 2.0, 11.0, 12.0], [-9.0, 2.0, -1.0, 2.0, -1.0, 12.0]
    assert cut_polygons([outside, inside], 30, 40) == ([inside], True)
    with pytest.raises(ValueError, match="outside"):
        cut_polygons([outside], 30, 40)


def test_instances_have_their_most_frequent_value():
    numbers, values = np.zeros((2, 6, 8), np.uint8)
    numbers[:2], numbers[3:, :4], numbers[5, 7] = 1, 7, 255
    values[:2, :6], values[:2, 6:], values[3:, :4] = 4, 255, 2
    found = instances_of(numbers, values)
    assert [(each.number, each.value) for each in found] == [(1, 4), (7, 2)]
    for each in found:
        assert np.array_equal(to_pixels(each.mask, 6, 8), numbers == each.number)
    assert [each.value for each in instances_of(numbers, None)] == [0, 0]
