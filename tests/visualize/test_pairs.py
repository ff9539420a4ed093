"""Sheets of pairs: both images of a pair are next to each other, above their caption."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.visualize.pairs import draw_captioned, draw_pairs


def flat(value, shape=(32, 32, 3)):
    return np.full(shape, value, np.uint8)


def test_the_images_of_a_pair_touch_and_keep_their_colours():
    red, blue = flat(0), flat(0)
    red[..., 0], blue[..., 2] = 255, 255
    sheet = draw_pairs([(red, blue)], ["0.97 train | test\n猫"], ["pairs"])
    rows, columns = np.nonzero((sheet == [255, 0, 0]).all(axis=2))
    others = np.nonzero((sheet == [0, 0, 255]).all(axis=2))
    assert columns.max() + 1 == others[1].min()
    assert (rows.min(), rows.max()) == (others[0].min(), others[0].max())
    assert (sheet[rows.max() + 1 :] < 128).any()  # the caption


def test_images_of_any_size_and_grey_ones_are_drawn():
    sheet = draw_pairs([(flat(9, (20, 60, 3)), flat(200, (64, 32, 1)))] * 3, ["x"] * 3, ["pairs"])
    assert sheet.ndim == 3
    single = draw_captioned([flat(9, (20, 60, 3)), flat(200, (64, 32, 1))], ["a", "b"], ["images", "of two sizes"])
    assert single.shape[2] == 3
    with pytest.raises(ValueError, match="captions"):
        draw_captioned([flat(9)], [], ["none"])
