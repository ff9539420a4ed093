from __future__ import annotations

import numpy as np
import pytest

from dlcli.visualize.item_map import MOST_CLASSES, draw_classes, draw_numbers, separating_plane


def clouds(num_classes: int, dimensions: int, spread: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Return 20 points for each class around a corner of its own, along later axes than the widest, which is noise."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(num_classes), 20)
    vectors = spread * random.standard_normal((len(labels), dimensions))
    vectors[np.arange(len(labels)), 1 + labels] += 1
    vectors[:, 0] = 5 * random.standard_normal(len(labels))
    return vectors.astype(np.float32), labels


@pytest.mark.parametrize("num_classes", [2, 3])
@pytest.mark.parametrize("dimensions", [5, 200])
def test_classes_are_apart_also_where_the_widest_direction_is_noise(num_classes: int, dimensions: int) -> None:
    vectors, labels = clouds(num_classes, dimensions, spread=0.02)
    points = separating_plane(vectors[::2], labels[::2], vectors[1::2], num_classes)
    assert points.shape == (len(labels) // 2, 2)
    own = labels[1::2]
    centres = np.array([points[own == label].mean(axis=0) for label in range(num_classes)])
    axes = slice(0, num_classes - 1)  # the second axis of two classes shows no more than the spread across the first
    nearest = np.linalg.norm(points[:, None, axes] - centres[:, axes], axis=2).argmin(1)
    assert (nearest == own).all()


def test_one_class_cannot_be_separated() -> None:
    with pytest.raises(ValueError, match="1 of 4 classes"):
        separating_plane(np.eye(3), np.zeros(3, int), np.eye(3), 4)


def test_a_class_of_one_item_and_equal_vectors_are_drawn() -> None:
    vectors = np.ones((5, 3)) + np.eye(5, 3)
    points = separating_plane(vectors, np.array([0, 0, 0, 1, 2]), vectors, 3)
    assert np.isfinite(points).all()


def test_each_class_has_its_own_colour_or_marker_and_rare_ones_are_grey() -> None:
    labels = np.concatenate([np.repeat(np.arange(MOST_CLASSES), 2), [MOST_CLASSES, MOST_CLASSES + 1]])
    points = np.random.default_rng(0).random((len(labels), 2))
    picture = draw_classes(points, labels, [f"类 {index} $x$" for index in range(MOST_CLASSES + 2)], title="t $_")
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    few = draw_classes(points[:4], labels[:4], ["a", "b"], title="t")
    blue, orange = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)  # the first two of the colours, in RGB
    for colour in (blue, orange):
        on_white = 0.75 * np.array(colour) + 0.25 * 255
        assert (np.abs(few - on_white).max(axis=2) < 4).any()


def test_numbers_are_coloured_from_the_lowest_to_the_highest() -> None:
    points = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.5]])
    picture = draw_numbers(points, np.array([1.0, 2.0, 3.0]), ("1", "3"), title="t", target="价格")
    for colour in ((0x44, 0x01, 0x54), (0xFD, 0xE7, 0x25)):  # the ends of viridis
        assert (np.abs(picture.astype(int) - colour).max(axis=2) < 6).sum() > 20
    assert draw_numbers(points, np.ones(3), ("1", "1"), title="t").ndim == 3
