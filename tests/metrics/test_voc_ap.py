"""VOC's average precision by values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.metrics.voc_ap import FALSE, HIT, IGNORED, all_point_ap, eleven_point_ap, voc_figures, voc_matches
from tests.metrics.detections import found, image_of, thing


def test_both_kinds_by_hand() -> None:
    # Hits at ranks 1, 3 and 5 of 4 objects. Recall and precision there: (1/4, 1), (2/4, 2/3), (3/4, 3/5).
    is_hit = np.array([True, False, True, False, True])
    # Recalls 0, 0.1, 0.2 have the highest precision 1; 0.3, 0.4, 0.5 have 2/3; 0.6, 0.7 have 3/5; 0.8, 0.9, 1 none.
    assert eleven_point_ap(is_hit, 4) == pytest.approx((3 * 1 + 3 * 2 / 3 + 2 * 3 / 5) / 11)
    assert all_point_ap(is_hit, 4) == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)


def test_precision_is_the_highest_at_that_recall_or_beyond() -> None:
    is_hit = np.array([False, True, True])  # precisions 0, 1/2, 2/3
    assert all_point_ap(is_hit, 2) == pytest.approx(2 / 3)
    assert eleven_point_ap(is_hit, 2) == pytest.approx(2 / 3)


def test_a_recall_of_three_tenths_reaches_the_point_of_three_tenths() -> None:
    assert eleven_point_ap(np.ones(3, bool), 10) == pytest.approx(4 / 11)  # 0, 0.1, 0.2 and 0.3


def test_without_detections_it_is_zero() -> None:
    assert eleven_point_ap(np.zeros(0, bool), 3) == all_point_ap(np.zeros(0, bool), 3) == 0


def test_the_second_claim_is_false_and_the_first_one_is_the_surer() -> None:
    image = image_of(thing(0, 0, 0, 20, 20))
    assert voc_matches(found((0, 0.6, 0, 0, 20, 20), (0, 0.9, 0, 0, 20, 19)), image).tolist() == [FALSE, HIT]


def test_a_detection_belongs_to_its_best_object_even_if_that_is_claimed() -> None:
    # COCO's rule would give the second detection the other object, which it overlaps by 0.67.
    image = image_of(thing(0, 0, 0, 20, 20), thing(0, 4, 0, 24, 20))
    answer = found((0, 0.9, 0, 0, 20, 20), (0, 0.8, 0, 0, 20, 20))
    assert voc_matches(answer, image).tolist() == [HIT, FALSE]


@pytest.mark.parametrize(("right", "kind"), [(10.0, HIT), (9.9, FALSE)])
def test_an_overlap_of_one_half_is_enough(right: float, kind: int) -> None:
    image = image_of(thing(0, 0, 0, 20, 20))
    assert voc_matches(found((0, 0.9, 0, 0, right, 20)), image).tolist() == [kind]


def test_difficult_objects_count_neither_way_however_often() -> None:
    image = image_of(thing(0, 0, 0, 20, 20, difficult=True), thing(0, 50, 50, 70, 70))
    answer = found((0, 0.9, 0, 0, 20, 20), (0, 0.8, 0, 0, 20, 20), (0, 0.7, 50, 50, 70, 70))
    assert voc_matches(answer, image).tolist() == [IGNORED, IGNORED, HIT]
    assert voc_figures([image], [answer], 1).voc10.tolist() == [1]


def test_in_a_crowd_only_what_matches_no_object_is_ignored() -> None:
    image = image_of(thing(0, 0, 0, 100, 100, crowd=True), thing(0, 10, 10, 30, 30))
    answer = found((0, 0.9, 10, 10, 30, 29), (0, 0.8, 60, 60, 80, 80), (0, 0.7, 95, 0, 115, 20))
    assert voc_matches(answer, image).tolist() == [HIT, IGNORED, FALSE]


def test_other_classes_do_not_match_and_classes_without_objects_are_undefined() -> None:
    images = [image_of(thing(0, 0, 0, 20, 20)), image_of()]
    answers = [found((1, 0.9, 0, 0, 20, 20), (0, 0.5, 0, 0, 20, 20)), found((0, 0.8, 0, 0, 20, 20))]
    figures = voc_figures(images, answers, 2)
    assert figures.voc07[0] == pytest.approx(0.5)  # the false one of the other image comes first
    assert figures.voc10[0] == pytest.approx(0.5)
    assert np.isnan(figures.voc07[1])
    assert np.isnan(figures.voc10[1])
