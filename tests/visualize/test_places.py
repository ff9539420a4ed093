"""Anchors, points, matches and heat maps on a canvas."""

from __future__ import annotations

import numpy as np

from dlcli.visualize.boxes import class_colour
from dlcli.visualize.places import draw_anchors, draw_matches, draw_pyramid, levels_of, note_of

IMAGE = np.full((64, 64, 3), 100, np.uint8)
BOXES = np.array([[0, 0, 32, 32], [32, 0, 64, 32], [0, 32, 32, 64], [32, 32, 64, 64], [0, 0, 64, 64]], np.float32)
CELLS = np.array([[32, 32]] * 4 + [[64, 64]], np.float32)
OBJECTS = np.array([-1, 1, -2, -1, 0])


def test_maps_are_told_apart_by_their_cells_from_the_finest() -> None:
    assert [level.tolist() for level in levels_of(CELLS)] == [[0, 1, 2, 3], [4]]


def test_a_point_is_drawn_in_the_colour_of_its_object_and_others_are_not() -> None:
    picture = draw_matches(IMAGE, np.zeros((0, 4)), BOXES, CELLS, OBJECTS, are_points=True)
    assert picture.shape == (640, 640, 3)
    assert tuple(picture[160, 480].tolist()) == class_colour(1)
    assert tuple(picture[320, 320].tolist()) == class_colour(0)
    assert tuple(picture[480, 160].tolist()) == tuple(picture[160, 160].tolist()) == (114, 114, 114)


def test_an_anchor_is_drawn_as_its_box() -> None:
    picture = draw_matches(IMAGE, np.zeros((0, 4)), BOXES, CELLS, OBJECTS, are_points=False)
    assert (picture[10:310, 320] == class_colour(1)).all()
    assert (picture[160, 330:630] == 114).all()


def test_there_is_a_panel_for_each_map_and_each_of_a_pyramid() -> None:
    two = draw_anchors(IMAGE, BOXES, CELLS, are_points=False, title="t")
    one = draw_anchors(IMAGE, BOXES[4:], CELLS[4:], are_points=False, title="t")
    assert two.shape[1] - one.shape[1] == one.shape[1] - 6
    heat = np.zeros((2, 8, 8), np.float32)
    heat[:, 0, 0] = 5
    picture = draw_pyramid(IMAGE, [("neck", heat)], title="t")
    colours = np.ptp(picture.astype(int), axis=2).max(axis=1)
    assert colours[: len(colours) // 3].max() > 50  # the hot cell, at the top
    assert colours[len(colours) // 2 :].max() == 0  # grey where nothing is hot


def test_the_note_counts_the_places_of_each_object() -> None:
    assert note_of(np.array([0, 0, 1, -1, -2]), 2, "points") == "2 objects, 1 to 2 points each"
    assert note_of(np.array([0, 0]), 1, "anchors") == "1 object, 2 anchors each"
    assert note_of(np.array([-1]), 0, "points") == "no objects"


def test_the_lines_of_a_grid_end_within_the_picture_where_cells_are_no_whole_pixels() -> None:
    for side in (64 / 3, 64 / 7, np.nextafter(np.float32(64 / 3), np.float32(0))):
        picture = draw_anchors(
            IMAGE, np.array([[0, 0, side, side]]), np.array([[side] * 2]), are_points=True, title="t"
        )
        assert (picture[200:600, round(side * 10) + 6] == 255).mean() > 0.9
