"""The largest object of each image, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.answers import ImageDetections
from dlcli.metrics.largest import largest_figures

SMALL, LARGE = Annotation(0, (0, 0, 5, 5), 25), Annotation(1, (0, 0, 20, 10), 200)


def image(*objects: Annotation) -> AnnotatedImage:
    return AnnotatedImage("a.png", 40, 40, objects)


def answer(*found: tuple[int, tuple[int, int, int, int]]) -> ImageDetections:
    boxes = np.array([box for _, box in found], np.float64).reshape(-1, 4)
    return ImageDetections(boxes, np.full(len(found), 0.5), np.array([label for label, _ in found], np.int64))


def test_the_first_detection_is_compared_with_the_largest_box() -> None:
    first = answer((1, (10, 0, 30, 10)), (0, (0, 0, 5, 5)))  # half of it lies in the box: 100 / 300
    figures = largest_figures([image(SMALL, LARGE), image(SMALL)], [first, answer((1, (0, 0, 5, 5)))])
    assert figures == pytest.approx({"class_accuracy": 0.5, "box_iou": (1 / 3 + 1) / 2})


def test_nothing_found_is_wrong_and_an_image_without_objects_does_not_count() -> None:
    crowd = Annotation(1, (0, 0, 30, 30), 900, is_crowd=True)
    figures = largest_figures(
        [image(SMALL, crowd), image(), image(crowd)], [answer(), answer((1, (0, 0, 5, 5))), answer()]
    )
    assert figures == {"class_accuracy": 0.0, "box_iou": 0.0}
    assert all(math.isnan(value) for value in largest_figures([image()], [answer()]).values())


def test_boxes_apart_overlap_by_nothing() -> None:
    assert largest_figures([image(LARGE)], [answer((1, (30, 30, 40, 40)))]) == {"class_accuracy": 1.0, "box_iou": 0.0}
