from __future__ import annotations

import numpy as np
import pytest

from dlcli.visualize.interpolate import animate_walk, draw_walks, spherical_interpolation


def as_grey(noise):
    """An image of one pixel for each point, as bright as its first number."""
    return [np.full((1, 1, 3), np.clip(round(100 * float(point[0])), 0, 255), np.uint8) for point in noise]


def test_an_arc_keeps_the_distance_from_the_origin_and_equal_angles():
    first, second = np.array([2.0, 0.0, 0.0]), np.array([0.0, 2.0, 0.0])
    points = spherical_interpolation(first, second, 4)
    angles = np.linspace(0, np.pi / 2, 4)
    expected = 2 * np.stack([np.cos(angles), np.sin(angles), np.zeros(4)], 1)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points, expected, atol=1e-6)


def test_a_walk_begins_and_ends_at_the_draws_of_any_length():
    random = np.random.default_rng(0)
    first, second = random.standard_normal((2, 50))
    points = spherical_interpolation(first, 3 * second, 7)
    np.testing.assert_allclose(points[[0, -1]], [first, 3 * second], rtol=1e-5)
    lengths = np.linalg.norm(points, axis=1)
    assert (lengths > 0.9 * np.linalg.norm(first)).all()  # a straight line dips to about 0.7 of it between equal ends


@pytest.mark.parametrize("second", [[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0]])
def test_draws_on_one_line_are_joined_by_it(second):
    points = spherical_interpolation(np.array([1.0, 0.0]), np.array(second), 3)
    np.testing.assert_allclose(points[:, 0], np.linspace(1.0, second[0], 3), atol=1e-6)


def test_each_row_of_the_grid_is_a_walk():
    ends = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [2.0, 0.0]]])
    picture = draw_walks(ends, 3, as_grey)
    side = (picture.shape[1] - 2) // 3
    middles = picture[side // 2 :: side, side // 2 :: side, 0][:2, :3]
    assert middles.tolist() == [[100, 71, 0], [0, 141, 200]]


def test_an_animation_passes_every_draw_once_and_closes():
    draws = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
    animation = animate_walk(draws, 4, 0.1, as_grey)
    shades = [int(frame[0, 0, 0]) for frame in animation.frames]
    assert len(shades) == 12 and animation.seconds == 0.1
    assert [shades[place] for place in (0, 4, 8)] == [100, 0, 200]
    assert len({frame.shape for frame in animation.frames}) == 1
