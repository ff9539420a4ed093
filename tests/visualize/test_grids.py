"""Grids of samples by class."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.visualize.canvas import enlarge, tile
from dlcli.visualize.grids import NAMED_CELL_PX, draw_samples


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def contains(picture: np.ndarray, cell: np.ndarray) -> bool:
    height, width = cell.shape[:2]
    corners = np.argwhere((picture[: -height + 1, : -width + 1] == cell[0, 0]).all(axis=2))
    return any(np.array_equal(picture[top : top + height, left : left + width], cell) for top, left in corners)


@pytest.mark.parametrize(("num_classes", "per_class"), [(1, 3), (3, 4), (24, 2), (5, 1)])
def test_every_sample_is_in_the_picture(num_classes: int, per_class: int) -> None:
    images = noise(num_classes, per_class, 32, 32, 3)
    picture = draw_samples({f"class {index}": list(row) for index, row in enumerate(images)}, title="data")
    factor = 3 if per_class == 1 else 2
    assert all(contains(picture, enlarge(image, factor)) for row in images for image in row)


def test_classes_stand_under_each_other_and_samples_side_by_side() -> None:
    values = np.arange(1, 7, dtype=np.uint8).reshape(2, 3)
    samples = {"a": [np.full((64, 64), value) for value in values[0]], "b": [np.full((64, 64), v) for v in values[1]]}
    picture = draw_samples(samples)
    cells = [
        [picture[2 + 66 * row + 30, picture.shape[1] - 66 * (3 - column) + 30, 0] for column in range(3)]
        for row in range(2)
    ]
    assert np.array_equal(cells, values)


def test_class_with_fewer_samples_leaves_white() -> None:
    picture = draw_samples({"a": [np.zeros((64, 64), np.uint8)] * 2, "b": [np.zeros((64, 64), np.uint8)], "c": []})
    assert (picture[2:66, -66:-2] == 0).all()
    assert (picture[68:, -66:] == 255).all()
    assert (picture[134:, -132:] == 255).all()


def test_many_classes_stay_near_a_square() -> None:
    picture = draw_samples({f"class {index}": list(noise(4, 32, 32, 3)) for index in range(100)})
    assert 0.5 < picture.shape[0] / picture.shape[1] < 2
    assert max(picture.shape) < 2600


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match="no images"):
        draw_samples({"a": []})


def test_one_image_a_class_has_its_name_under_it_and_a_class_without_is_left_out() -> None:
    images = noise(2, 32, 32, 3)
    picture = draw_samples({"猫": [images[0]], "none": [], "dog": [images[1]]})
    expected = tile(list(images), captions=["猫", "dog"], gap=6, min_cell_px=NAMED_CELL_PX)
    assert np.array_equal(picture, expected)


@pytest.mark.parametrize("per_class", [1, 2])
def test_a_title_is_added_above_and_changes_no_pixel_below(per_class: int) -> None:
    samples = {"a": list(noise(per_class, 40, 40, 3)), "b": list(noise(per_class, 40, 40, 3, seed=1))}
    plain, titled = draw_samples(samples), draw_samples(samples, title="数据, train")
    left = (titled.shape[1] - plain.shape[1]) // 2
    assert titled.shape[0] > plain.shape[0]
    assert np.array_equal(titled[-plain.shape[0] :, left : left + plain.shape[1]], plain)


def test_names_stand_at_the_left_of_their_rows() -> None:
    blank = np.full((64, 64), 255, np.uint8)
    names = {"": [blank] * 2, "dog": [blank] * 2, " ": [blank] * 2}
    picture = draw_samples(names)
    has_ink = (picture < 128).any(axis=(1, 2))
    rows = np.flatnonzero(has_ink)
    assert 1 + 66 <= rows.min() < rows.max() < 1 + 2 * 66
    assert (picture[:, -132:] == 255).all()
