"""Boxes and tags on images: where they are, in which colour, and legible."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.visualize.boxes import MANY, DrawnBox, class_colour, draw_boxes, tag_of

NAMES = ["cell", "细胞", "platelet"]
GREY = np.full((240, 320, 3), 90, np.uint8)


def coloured(picture: np.ndarray, label: int) -> np.ndarray:
    return (picture == class_colour(label)).all(axis=2)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_edges_of_a_box_have_its_colour_and_lie_within_it(scale: float) -> None:
    picture = draw_boxes(GREY, [DrawnBox((40, 60, 200, 180), 2)], NAMES, scale=scale)
    assert picture.shape == (240 * scale, 320 * scale, 3)
    left, top, right, bottom = (int(side * scale) for side in (40, 60, 200, 180))
    is_edge = coloured(picture, 2)
    assert is_edge[top, left:right].all()
    assert is_edge[bottom - 1, left:right].all()
    assert is_edge[top:bottom, left].all()
    assert is_edge[top:bottom, right - 1].all()
    below = picture[top:]  # the tag stands above
    assert (below[:, :left] == 90).all()
    assert (below[:, right:] == 90).all()
    assert (picture[bottom:] == 90).all()
    assert (picture[top + 10 : bottom - 10, left + 10 : right - 10] == 90).all()


def test_the_image_is_left_as_it_was_and_pictures_are_equal() -> None:
    before = GREY.copy()
    boxes = [DrawnBox((5, 5, 100, 100), 0, 0.5), DrawnBox((50, 50, 200, 200), 1, 0.75)]
    np.testing.assert_array_equal(draw_boxes(GREY, boxes, NAMES), draw_boxes(GREY, boxes, NAMES))
    np.testing.assert_array_equal(GREY, before)
    np.testing.assert_array_equal(draw_boxes(GREY, [], NAMES), GREY)


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 30, 30),
        (290, 0, 320, 20),
        (0, 220, 25, 240),
        (300, 225, 320, 240),
        (0, 0, 320, 240),
        (-20, -30, 10, 10),
        (310, 230, 340, 260),
        (319.6, 239.7, 319.8, 239.9),
        (400, 300, 500, 400),
    ],
)
def test_a_tag_is_whole_at_every_edge(box: tuple[float, float, float, float]) -> None:
    middle = draw_boxes(GREY, [DrawnBox((150, 110, 152, 112), 0, 0.99)], NAMES)
    picture = draw_boxes(GREY, [DrawnBox(box, 0, 0.99)], NAMES)
    whole = int((middle != 90).any(axis=2).sum())
    assert picture.shape == GREY.shape
    assert int((picture != 90).any(axis=2).sum()) >= whole - 4


def test_tags_of_equal_boxes_do_not_cover_each_other() -> None:
    box = (100, 100, 180, 160)
    picture = draw_boxes(GREY, [DrawnBox(box, 0, 0.9), DrawnBox(box, 1, 0.8), DrawnBox(box, 2, 0.7)], NAMES)
    alone = [draw_boxes(GREY, [DrawnBox(box, label, score)], NAMES) for label, score in ((0, 0.9), (1, 0.8), (2, 0.7))]
    outside = np.ones(GREY.shape[:2], bool)
    outside[100:160, 100:180] = False
    for label, single in enumerate(alone):
        tag = coloured(single, label)[:100].sum()
        assert coloured(picture, label).sum() > 0.85 * tag
    assert (picture[outside] != 90).any()


def test_of_many_boxes_tags_that_would_cover_others_are_left_out() -> None:
    boxes = [DrawnBox((100, 100, 180, 160), number) for number in range(2 * MANY)]
    picture = draw_boxes(GREY, boxes, ["cell"] * len(boxes))
    tagged = [number for number in range(len(boxes)) if coloured(picture[161:], number).sum() > 50]
    tagged += [number for number in range(len(boxes)) if coloured(picture[:100], number).sum() > 50]
    assert len(tagged) == 4  # two above and two below
    assert max(tagged) < 8


def test_crowds_are_dashed_and_difficult_objects_thin() -> None:
    large = np.full((600, 800, 3), 90, np.uint8)
    box = (100.0, 100.0, 700.0, 500.0)
    plain, crowd, difficult = (
        coloured(draw_boxes(large, [DrawnBox(box, 0, look=look)], NAMES), 0)[300:480, 95:705]
        for look in ("plain", "crowd", "difficult")
    )
    assert plain[:, 5].all()
    assert 0.4 < crowd[:, 5].mean() < 0.8
    assert difficult[:, 5].all()
    assert difficult.sum() < plain.sum()
    assert tag_of(DrawnBox(box, 0, look="crowd"), NAMES) == "cell (crowd)"
    assert tag_of(DrawnBox(box, 1, 0.876), NAMES) == "细胞 0.88"
    assert tag_of(DrawnBox(box, 7), NAMES) == "class 7"
    assert tag_of(DrawnBox(box, 0), ["a\nb"]) == "a b"


def test_small_boxes_lie_over_large_ones() -> None:
    boxes = [DrawnBox((100, 100, 140, 140), 0), DrawnBox((50, 90, 120, 220), 2)]
    assert coloured(draw_boxes(GREY, boxes, NAMES), 0)[100:140, 100].all()
    assert coloured(draw_boxes(GREY, boxes[::-1], NAMES), 0)[100:140, 100].all()


def test_colours_differ_between_classes_and_never_change() -> None:
    colours = [class_colour(label) for label in range(80)]
    assert len(set(colours)) == 80
    assert colours[:2] == [(230, 25, 75), (60, 180, 75)]
    assert all(0 <= part <= 255 for colour in colours for part in colour)
