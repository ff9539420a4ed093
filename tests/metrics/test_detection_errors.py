"""Thresholds, kinds of errors, worst images and intervals, by hand and against the metric itself."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.answers import ImageDetections
from dlcli.metrics import coco_ap
from dlcli.metrics.detection_errors import (
    Outcomes,
    best_thresholds,
    bootstrap_ap50,
    classes_at,
    figures_at,
    outcomes_of,
    tide_errors,
    weighted_ap50,
    worst_images,
)
from dlcli.metrics.threshold_curves import FEWEST_FOR_OWN
from tests.metrics.detections import found, image_of, random_case, thing


def outcomes(records: list[AnnotatedImage], answers: list[ImageDetections], classes: int = 2) -> Outcomes:
    return outcomes_of(coco_ap.evaluate(records, answers, classes, ious=(0.5,)), len(records), classes)


def two_images() -> tuple[list[AnnotatedImage], list[ImageDetections]]:
    """Return images with three objects; by falling score: hit, false, hit, false, false."""
    records = [image_of(thing(0, 0, 0, 20, 20), thing(1, 50, 50, 90, 90)), image_of(thing(0, 0, 0, 20, 20))]
    answers = [
        found((0, 0.9, 0, 0, 20, 20), (1, 0.7, 50, 50, 90, 90), (1, 0.2, 0, 50, 9, 90)),
        found((0, 0.8, 100, 0, 120, 20), (0, 0.7, 100, 100, 120, 120)),
    ]
    return records, answers


def test_each_class_has_the_threshold_of_its_best_f1_and_equal_scores_stay_together() -> None:
    # Best at 0.9 (2 * 1 / (1 + 2)) and at 0.7; the next scores below are 0.8 and 0.2.
    records, answers = two_images()
    seen = outcomes(records * FEWEST_FOR_OWN, answers * FEWEST_FOR_OWN, classes=3)
    best = best_thresholds(seen)
    assert best[:2].tolist() == pytest.approx([0.85, 0.45])
    assert np.isnan(best[2])
    assert figures_at(seen, best) == {"precision": 1, "recall": pytest.approx(2 / 3), "f1": pytest.approx(4 / 5)}


def test_classes_of_few_objects_share_the_threshold_that_is_best_for_them_together() -> None:
    # From the top: hit 0.9, false 0.8, hit and false 0.7, false 0.2, of three objects: F1 of 1/2, 2/5, 4/7, 1/2.
    best = best_thresholds(outcomes(*two_images(), classes=3))
    assert best.tolist() == pytest.approx([0.45, 0.45, 0.45])


def test_equal_scores_of_a_class_are_shown_together_or_not_at_all() -> None:
    records = [image_of(thing(0, 0, 0, 20, 20))]
    seen = outcomes(records, [found((0, 0.7, 0, 0, 20, 20), (0, 0.7, 50, 50, 60, 60), (0, 0.6, 80, 80, 90, 90))])
    assert best_thresholds(seen)[0] == pytest.approx(0.65)
    assert classes_at(seen, best_thresholds(seen))[0]["found"] == 2


def test_figures_at_thresholds_of_another_split() -> None:
    seen = outcomes(*two_images())
    assert figures_at(seen, np.full(2, 0.85)) == {"precision": 1, "recall": pytest.approx(1 / 3), "f1": 0.5}
    assert figures_at(seen, np.array([0.95, np.nan])) == {"precision": None, "recall": 0, "f1": 0}


def test_figures_of_classes_at_their_thresholds() -> None:
    rows = classes_at(outcomes(*two_images(), classes=3), np.array([0.75, 0.8, 0.9]))
    assert rows[0] == {"objects": 2, "threshold": 0.75, "found": 2, "precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert rows[1] == {"objects": 1, "threshold": 0.8, "found": 0, "precision": None, "recall": 0, "f1": 0}
    assert rows[2] == {"objects": 0, "threshold": 0.9, "found": 0, "precision": None, "recall": None, "f1": None}


def test_worst_images_have_most_missed_and_false() -> None:
    records, answers = two_images()
    rows = worst_images(outcomes(records, answers), np.full(2, 0.7), records)
    assert [(row["index"], row["missed"], row["false"]) for row in rows] == [(1, 1, 2)]  # the other has no error


def test_what_matches_difficult_objects_is_neither_false_nor_missed() -> None:
    records = [image_of(thing(0, 0, 0, 20, 20, difficult=True), thing(1, 50, 50, 90, 90, crowd=True))]
    answers = [found((0, 0.9, 0, 0, 20, 20), (1, 0.8, 55, 55, 60, 60), (1, 0.7, 65, 65, 70, 70))]
    seen = outcomes(records, answers)
    assert (len(seen.scores), len(seen.object_labels)) == (0, 0)
    assert np.isnan(best_thresholds(seen)).all()
    assert worst_images(seen, best_thresholds(seen), records) == []
    assert bootstrap_ap50(seen) is None


ERRORS = {
    "class": (1, 0.9, 0, 0, 20, 20),
    "localisation": (0, 0.9, 0, 0, 20, 7),  # an IoU of 0.35
    "both": (1, 0.9, 0, 0, 20, 7),
    "duplicate": (0, 0.6, 0, 0, 20, 19),
    "background": (0, 0.9, 60, 60, 80, 80),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_each_kind_of_error_is_named(kind: str) -> None:
    record = image_of(thing(0, 0, 0, 20, 20), thing(1, 100, 100, 120, 120))
    others = [(1, 0.8, 100, 100, 120, 120)] + ([(0, 0.7, 0, 0, 20, 20)] if kind == "duplicate" else [])
    rows = tide_errors(coco_ap.evaluate([record], [found(ERRORS[kind], *others)], 2, ious=(0.5,)))
    counts = {row["kind"]: row["count"] for row in rows if row["count"]}
    # An object that only a wrong class or place keeps from being found is not missed as well.
    missed = {"missed": 1} if kind in ("both", "background") else {}
    assert counts == {kind: 1, **missed}


def test_mending_an_error_gains_what_it_costs() -> None:
    record = image_of(thing(0, 0, 0, 20, 20), thing(0, 100, 100, 120, 120))
    answer = found((0, 0.9, 60, 60, 80, 80), (0, 0.8, 0, 0, 20, 20))
    rows = tide_errors(coco_ap.evaluate([record], [answer], 1, ious=(0.5,)))
    gains = {row["kind"]: row["delta_ap50"] for row in rows}
    base = 0.5 * 51 / 101  # a precision of 1/2 at recalls 0, 0.01, ..., 0.5
    assert gains["background"] == pytest.approx(51 / 101 - base)
    assert gains["missed"] == pytest.approx(0.5 - base)
    assert gains["class"] == gains["localisation"] == gains["both"] == gains["duplicate"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_ap50_of_weights_of_one_is_ap50(seed: int) -> None:
    records, answers = random_case(seed)
    expected = coco_ap.mean_over_classes(coco_ap.class_figures(coco_ap.evaluate(records, answers, 4))["ap50"])
    assert weighted_ap50(outcomes(records, answers, 4), np.ones((1, 30), int)) == pytest.approx(expected, abs=1e-9)


def test_a_weight_of_two_is_the_image_twice_and_of_zero_not_there() -> None:
    records, answers = random_case(5, images=6)
    for answer in answers:  # copies of one image have equal scores, whose order the official script leaves to chance
        answer.scores[:] = np.random.default_rng(len(answer.scores)).random(len(answer.scores))
    weights = np.array([[2, 0, 1, 3, 0, 1]])
    copies = [i for i, weight in enumerate(weights[0]) for _ in range(weight)]
    again = coco_ap.evaluate([records[i] for i in copies], [answers[i] for i in copies], 4)
    expected = coco_ap.mean_over_classes(coco_ap.class_figures(again)["ap50"])
    assert weighted_ap50(outcomes(records, answers, 4), weights) == pytest.approx(expected, abs=1e-9)


def test_the_interval_is_around_the_figure_the_same_each_time_and_narrower_with_more_images() -> None:
    few, many = (outcomes(*random_case(2, images=images), classes=4) for images in (20, 160))
    low, high = bootstrap_ap50(few) or []
    value = float(weighted_ap50(few, np.ones((1, 20), int))[0])
    assert low < value < high
    assert bootstrap_ap50(few) == [low, high]
    narrow = bootstrap_ap50(many) or []
    assert narrow[1] - narrow[0] < 0.7 * (high - low)


def test_one_image_has_no_interval() -> None:
    records, answers = two_images()
    assert bootstrap_ap50(outcomes(records[:1], answers[:1])) is None
