"""The metric's checks of itself pass on sound data, and notice a metric or a way back that is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.annotated.fitting import Fit
from dlcli.metrics import coco_ap
from dlcli.metrics.detection_checks import check_metric
from tests.metrics.detections import image_of, metric_of, random_case, thing

CLASSES = ("a", "b", "c", "d")


@pytest.mark.parametrize("seed", range(3))
def test_sound_data_passes(seed: int) -> None:
    assert check_metric(random_case(seed)[0], CLASSES) == []


def test_tiny_many_and_identical_objects_pass() -> None:
    boxes = [thing(0, x, y, x + 1, y + 1.4) for x in range(14) for y in range(10)]
    same = [thing(1, 50, 50, 60, 60)] * 2 + [thing(2, 80, 80, 80.2, 90)]
    assert check_metric([image_of(*boxes), image_of(*same, height=4000, width=6000)], CLASSES) == []


def test_nothing_to_check_is_no_fault() -> None:
    assert check_metric([], CLASSES) == []
    assert check_metric([image_of(thing(0, 0, 0, 9, 9, crowd=True))], CLASSES) == []


def test_a_wrong_way_back_to_the_image_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fit, "to_image", lambda self, boxes: np.asarray(boxes) / self.scale[0] + 3.0)
    records, answers = random_case(0)
    (fault,) = check_metric(records, CLASSES)
    assert fault.startswith("the truth has an AP of 0.")
    assert metric_of(records, answers, CLASSES).report()["checks"] == {"passed": False, "faults": [fault]}


def test_a_metric_that_is_always_right_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco_ap, "class_figures", lambda evaluation: {"ap": np.ones(4)})
    (fault,) = check_metric(random_case(0)[0], CLASSES)
    assert fault == "the truth moved out of the image has an AP of 1.0000 instead of 0"
