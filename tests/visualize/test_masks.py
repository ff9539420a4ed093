"""Translucent masks and label maps on images."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.visualize.boxes import class_colour
from dlcli.visualize.masks import OPACITY, draw_label_map, draw_masks

IMAGE = np.full((100, 120, 3), 200, np.uint8)


@pytest.mark.parametrize("scale", [1, 2])
def test_a_mask_tints_its_inside_and_outlines_its_edge(scale: int) -> None:
    mask = np.zeros((100, 120), bool)
    mask[20:80, 30:90] = True
    picture = draw_masks(IMAGE, [mask], [1], scale=scale)
    tint = np.array(class_colour(1)) * OPACITY + 200 * (1 - OPACITY)
    assert picture.shape == (100 * scale, 120 * scale, 3)
    assert np.abs(picture[50 * scale, 60 * scale] - tint).max() <= 1
    assert (picture[20 * scale, 60 * scale] == class_colour(1)).all()
    assert (picture[50 * scale, 90 * scale - 1] == class_colour(1)).all()
    assert (picture[: 18 * scale] == 200).all()
    assert (picture[:, 93 * scale :] == 200).all()


def test_a_mask_in_the_middle_stays_there_in_a_smaller_picture() -> None:
    mask = np.zeros((90, 90), np.uint8)
    mask[29:61, 29:61] = 1
    picture = draw_masks(np.full((90, 90, 3), 200, np.uint8), [mask], [1], scale=1 / 3)
    rows, columns, _ = np.nonzero(picture != 200)
    assert rows.min() + rows.max() == columns.min() + columns.max() == 29


def test_a_hole_stays_clear_and_a_small_mask_lies_over_a_large_one() -> None:
    large, small = np.zeros((2, 100, 120), np.uint8)
    large[5:95, 5:115] = 1
    large[40:60, 40:60] = 0
    small[10:20, 10:20] = 1
    for order in ([0, 1], [1, 0]):
        picture = draw_masks(IMAGE, [(large, small)[index] for index in order], [(0, 2)[index] for index in order])
        assert (picture[50, 50] == 200).all()
        assert (picture[10, 15] == class_colour(2)).all()


def test_without_masks_the_image_is_returned() -> None:
    np.testing.assert_array_equal(draw_masks(IMAGE, [], []), IMAGE)


def test_a_label_map_leaves_the_background_and_stripes_what_has_no_label() -> None:
    label_map = np.zeros((100, 120), np.uint8)
    label_map[:, 40:80], label_map[:, 80:] = 3, 255
    picture = draw_label_map(IMAGE, label_map)
    assert (picture[:, :40] == 200).all()
    tint = np.array(class_colour(2)) * OPACITY + 200 * (1 - OPACITY)
    assert np.abs(picture[50, 60] - tint).max() <= 1
    assert (picture[:, 40] == 255).all()
    assert set(np.unique(picture[:, 82:])) == {200, 255}
