"""AP of examples that can be worked by hand; `test_detection.py` compares random ones with pycocotools."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlcli.metrics.coco_ap import AREAS, IOUS, class_figures, evaluate, mean_over_classes, precision_curves
from tests.metrics.detections import found, image_of, thing

BOX = (10.0, 10.0, 50.0, 50.0)
ELSEWHERE = (100.0, 100.0, 140.0, 140.0)


def figures(objects, answers, **options):
    return class_figures(evaluate([image_of(*objects)], [found(*answers)], 1, **options))


def test_half_of_the_objects_found_is_half_of_the_area_below_the_curve() -> None:
    """Two objects, one found: the precision is 1 up to a recall of 0.5, 51 of the 101 points."""
    values = figures([thing(0, *BOX), thing(0, *ELSEWHERE)], [(0, 0.9, *BOX)])
    assert values["ap50"][0] == pytest.approx(51 / 101)
    assert values["ar100"][0] == pytest.approx(0.5)


def test_a_false_answer_before_the_right_one_halves_the_precision() -> None:
    wrong_first = figures([thing(0, *BOX)], [(0, 0.9, *ELSEWHERE), (0, 0.8, *BOX)])
    wrong_last = figures([thing(0, *BOX)], [(0, 0.8, *ELSEWHERE), (0, 0.9, *BOX)])
    assert (wrong_first["ap50"][0], wrong_last["ap50"][0]) == (pytest.approx(0.5), pytest.approx(1.0))


def test_an_overlap_counts_for_the_thresholds_that_it_reaches() -> None:
    """A box of 40 x 40 and one of 40 x 30 within it overlap by 0.75."""
    values = figures([thing(0, *BOX)], [(0, 0.9, 10, 10, 50, 40)])
    assert (values["ap50"][0], values["ap75"][0]) == (pytest.approx(1), pytest.approx(1))
    assert values["ap"][0] == pytest.approx(sum(iou <= 0.75 for iou in IOUS) / 10) == pytest.approx(0.6)


def test_a_difficult_object_is_neither_missed_nor_its_answer_false() -> None:
    objects = [thing(0, *BOX), thing(0, *ELSEWHERE, difficult=True)]
    for answers in ([(0, 0.5, *BOX)], [(0, 0.9, *ELSEWHERE), (0, 0.5, *BOX)]):
        assert figures(objects, answers)["ap"][0] == pytest.approx(1)


def test_a_crowd_absorbs_any_number_of_answers() -> None:
    crowd = thing(0, 60, 60, 180, 180, crowd=True)
    answers = [(0, 0.9 - step / 100, 70 + step, 70, 100 + step, 100) for step in range(5)]
    assert figures([thing(0, *BOX), crowd], [*answers, (0, 0.5, *BOX)])["ap"][0] == pytest.approx(1)


def test_a_range_of_areas_measures_its_objects_alone() -> None:
    """An object of 40 x 40 is of medium size: with the small one missed, the mean is over medium and large."""
    objects = [thing(0, *BOX), thing(0, 100, 100, 110, 110)]
    evaluation = evaluate([image_of(*objects)], [found((0, 0.9, *BOX))], 1, areas=tuple(AREAS))
    values = [class_figures(evaluation, place)["ap50"][0] for place in range(len(AREAS))]
    assert values[:3] == [pytest.approx(51 / 101), 0, pytest.approx(1)] and math.isnan(values[3])


def test_classes_are_apart_and_one_without_objects_is_undefined() -> None:
    evaluation = evaluate([image_of(thing(0, *BOX), thing(2, *ELSEWHERE))], [found((0, 0.9, *BOX), (1, 0.9, *BOX))], 3)
    values = class_figures(evaluation)["ap"]
    assert values[0] == pytest.approx(1) and np.isnan(values[1]) and values[2] == 0
    assert mean_over_classes(values) == pytest.approx(0.5)
    assert math.isnan(mean_over_classes(values[1:2]))
    curves = precision_curves(evaluation)
    assert curves.shape == (3, 101)
    np.testing.assert_allclose(curves, np.repeat([[1.0], [-1.0], [0.0]], 101, axis=1), atol=1e-9)
