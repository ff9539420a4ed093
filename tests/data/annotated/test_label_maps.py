from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.annotated.annotation import VOID, AnnotatedImage, Annotation
from dlcli.data.annotated.augmenting import Recipe, recipe_of
from dlcli.data.annotated.fitting import fit_size
from dlcli.data.annotated.label_maps import augment_label_map, draw_label_map_of, label_map_in_image, renumbered


def square(left, top, right, bottom, label, **more):
    outline = [[left, top, right, top, right, bottom, left, bottom]]
    area = (right - left) * (bottom - top)
    return Annotation(label, (left, top, right, bottom), area, segmentation=outline, **more)


def test_small_objects_stay_on_top_and_what_nobody_knows_is_void():
    objects = (
        square(2, 2, 4, 4, 0),
        square(0, 0, 8, 8, 1),
        square(10, 0, 14, 4, 2, is_crowd=True),
        Annotation(0, (10, 6, 12, 8), 4.0),
    )
    found = draw_label_map_of(AnnotatedImage("a.png", 10, 16, objects))
    expected = np.zeros((10, 16), np.uint8)
    expected[0:8, 0:8] = 2
    expected[2:4, 2:4] = 1
    expected[0:4, 10:14] = VOID
    expected[6:8, 10:12] = VOID
    assert np.array_equal(found, expected)


def test_an_object_is_seen_within_a_crowd():
    objects = (square(0, 0, 4, 4, 0), square(0, 0, 2, 2, 1, is_crowd=True))
    assert (draw_label_map_of(AnnotatedImage("a.png", 4, 4, objects)) == 1).all()


def test_classes_are_renumbered_and_unknown_values_are_void():
    label_map = np.array([[0, 1, 2, 3, VOID]], np.uint8)
    assert renumbered(label_map, [1, 0]).tolist() == [[0, 2, 1, VOID, VOID]]


@pytest.mark.parametrize("size", [(30, 40), (61, 33)])
def test_an_answer_fills_the_image_and_nothing_of_the_canvas_around_it(size):
    fit = fit_size(size, 64)
    canvas = np.full(fit.canvas, 9, np.uint8)
    canvas[: fit.inner[0], : fit.inner[1]] = 1
    canvas[: fit.inner[0] // 2, : fit.inner[1]] = 2
    found = label_map_in_image(canvas, fit)
    assert found.shape == size
    assert (found[: size[0] // 2 - 1] == 2).all() and (found[size[0] // 2 + 1 :] == 1).all()


def test_without_operations_the_map_lies_where_the_image_lies_and_the_rest_is_void():
    random = np.random.default_rng(0)
    label_map = random.integers(0, 3, (32, 64), np.uint8)
    label_map[0] = VOID
    image = np.repeat(label_map[..., None] * np.uint8(100), 3, axis=2)
    seen, found = augment_label_map(image, label_map, (64, 64), Recipe(), 0)
    assert np.array_equal(found[:32], label_map) and (found[32:] == VOID).all()
    assert np.array_equal(seen[:32], image)


@pytest.mark.parametrize("seed", range(4))
def test_the_map_moves_with_its_image(seed):
    """Each class is a grey of its own: after flips and zooms the map still says which, away from blended edges."""
    label_map = np.zeros((48, 64), np.uint8)
    label_map[10:40, 5:30], label_map[20:44, 36:60] = 1, 2
    image = np.repeat(label_map[..., None] * np.uint8(100), 3, axis=2)
    seen, found = augment_label_map(image, label_map, (64, 64), recipe_of("flip=0.5 zoom=1.3"), seed)
    nearest = (seen[..., 0].astype(int) + 50) // 100
    is_plain = (found != VOID) & (seen[..., 0] % 100 == 0)
    assert is_plain.mean() > 0.3
    assert (nearest == found)[is_plain].mean() > 0.98


def test_a_mirror_exchanges_left_and_right():
    label_map = np.array([[1, 1, 2, 2]] * 4, np.uint8)
    recipe = recipe_of("flip=1", ("left hand", "right hand"))
    _, found = augment_label_map(np.zeros((4, 4, 3), np.uint8), label_map, (4, 4), recipe, 0)
    assert np.array_equal(found, label_map)
