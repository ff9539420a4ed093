from __future__ import annotations

import re

import numpy as np
import pytest

from dlcli.visualize.blocks import RESET, UPPER_HALF, as_blocks


def pixels(lines: list[str]) -> np.ndarray:
    """Return what a terminal shows of the lines, (H, W, 3) uint8."""
    rows = []
    for line in lines:
        assert line.endswith(RESET)
        upper, lower, colours = [], [], [0] * 6
        for code, character in re.findall(r"\033\[([0-9;]*)m|(.)", line):
            if code and code != "0":
                numbers = [int(each) for each in code.split(";")]
                colours = [*numbers[2:5], *numbers[7:10]]
            elif character:
                assert character == UPPER_HALF
                upper.append(colours[:3])
                lower.append(colours[3:])
        rows += [upper, lower]
    return np.array(rows, np.uint8)


@pytest.mark.parametrize("shape", [(4, 6), (2, 1), (8, 3)])
def test_a_terminal_shows_the_pixels(shape):
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    np.testing.assert_array_equal(pixels(as_blocks(picture, 80)), picture)


def test_an_odd_last_row_is_repeated():
    picture = np.random.default_rng(0).integers(0, 256, (3, 2, 3), dtype=np.uint8)
    np.testing.assert_array_equal(pixels(as_blocks(picture, 80)), picture[[0, 1, 2, 2]])


def test_a_wide_picture_is_scaled_to_the_terminal():
    picture = np.zeros((40, 100, 3), np.uint8)
    picture[:, 50:] = (0, 200, 100)
    shown = pixels(as_blocks(picture, 10))
    assert shown.shape == (4, 10, 3)
    np.testing.assert_array_equal(shown[:, 5:], np.full((4, 5, 3), (0, 200, 100)))
    assert not shown[:, :5].any()


def test_a_plain_picture_has_one_colour_code_a_line():
    [line] = as_blocks(np.full((2, 50, 3), 7, np.uint8), 80)
    assert line.count("\033") == 2 and line.count(UPPER_HALF) == 50
