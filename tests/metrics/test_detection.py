"""The metric of detection against pycocotools, and its invariants."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time

import numpy as np
import pytest

from dlcli.core.files import finite
from dlcli.data.annotated.answers import ImageDetections, detections_in_image
from dlcli.data.annotated.fitting import Fit, fit_size
from dlcli.metrics import coco_ap
from dlcli.metrics.detection import DetectionMetric
from tests.metrics.detections import (
    HEIGHT,
    WIDTH,
    batch_of,
    dense,
    found,
    image_of,
    metric_of,
    pycocotools_figures,
    random_case,
    thing,
)

CLASSES = ("cell", "plate", "白血球", "unseen")


@pytest.mark.parametrize("seed", range(4))
def test_ap_of_boxes_equals_pycocotools(seed: int) -> None:
    records, answers = random_case(seed)
    peer = pycocotools_figures(records, answers, 4)
    figures = metric_of(records, answers, CLASSES).report()["metrics"]
    for name, expected in zip(("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"), peer.stats[:6], strict=True):
        assert figures[name] == pytest.approx(expected, abs=1e-9), name
    assert figures["ar100"] == pytest.approx(peer.stats[8], abs=1e-9)


def test_figures_of_classes_and_curves_equal_pycocotools() -> None:
    records, answers = random_case(7)
    precision = pycocotools_figures(records, answers, 4).eval["precision"][:, :, :, 0, 2]
    report = metric_of(records, answers, CLASSES).report()
    for label, row in enumerate(report["per_class"]):
        assert row["ap"] == pytest.approx(precision[:, :, label].mean(), abs=1e-9)
        assert row["ap75"] == pytest.approx(precision[5, :, label].mean(), abs=1e-9)
        assert report["pr"][label] == pytest.approx(precision[0, :, label], abs=1e-5)


@pytest.mark.parametrize("seed", range(2))
def test_ap_of_masks_equals_pycocotools(seed: int) -> None:
    records, answers = random_case(seed, images=8, masks=True)
    peer = pycocotools_figures(records, answers, 4, "segm")
    figures = coco_ap.class_figures(coco_ap.evaluate(records, answers, 4, masks=True))
    assert coco_ap.mean_over_classes(figures["ap"]) == pytest.approx(peer.stats[0], abs=1e-9)
    assert coco_ap.mean_over_classes(figures["ap50"]) == pytest.approx(peer.stats[1], abs=1e-9)


def test_masks_of_outputs_are_measured_in_the_image() -> None:
    record = image_of(thing(0, 10, 20, 50, 60))
    outputs = dense([found((0, 0.9, 10, 20, 50, 60))])
    outputs["masks"] = np.zeros((1, 3, 14, 14), np.float32)
    outputs["masks"][0, 0, :, :7] = 1  # the left half, of an object that fills its box
    metric = DetectionMetric(CLASSES, has_masks=True)
    metric.update(batch_of([record]), outputs)
    values = metric.compute()
    assert (values["ap"], values["mask_ap50"]) == pytest.approx((1, 1))
    assert values["mask_ap"] == pytest.approx(0.1)  # an IoU of 0.5 exactly reaches one threshold of ten
    row = metric.report()["per_class"][0]
    assert (row["mask_ap"], row["mask_ap50"]) == pytest.approx((0.1, 1))


def test_batches_and_processes_do_not_matter() -> None:
    records, answers = random_case(3, images=10)
    whole = DetectionMetric(CLASSES)
    whole.update(batch_of(records), dense(answers))
    first, second = metric_of(records[:6], answers[:6], CLASSES), metric_of(records[6:], answers[6:], CLASSES)
    first.merge(second)
    assert first.report() == whole.report()
    assert first.compute() == {name: whole.report()["metrics"][name] for name in ("ap", "ap50", "ap75")}
    with pytest.raises(ValueError, match="different classes"):
        first.merge(DetectionMetric(("other",)))


def test_boxes_of_a_canvas_are_measured_in_the_image() -> None:
    record = image_of(thing(1, 40, 60, 440, 300), height=480, width=640)
    fit = fit_size((480, 640), 320)
    outputs = dense([found((1, 0.5, *fit.to_canvas(np.array(record.objects[0].box))[0]))])
    metric = DetectionMetric(CLASSES)
    metric.update({"records": [record], "fits": np.array([fit.numbers])}, outputs)
    assert metric.compute()["ap"] == pytest.approx(1)


def test_ap_of_answers_that_went_through_json_is_the_same() -> None:
    records, answers = random_case(11)
    fit = fit_size((HEIGHT, WIDTH), 333)
    outputs = dense([each._replace(boxes=fit.to_canvas(each.boxes + 0.123456)) for each in answers])
    metric = DetectionMetric(CLASSES)
    metric.update({"records": records, "fits": np.array([fit.numbers] * len(records))}, outputs)
    texts = [json.dumps([column.tolist() for column in _in_image(outputs, row, fit)]) for row in range(len(records))]
    read = [ImageDetections(*(np.array(column) for column in json.loads(text))) for text in texts]
    peer = pycocotools_figures(records, read, 4)
    assert list(metric.compute().values()) == pytest.approx(peer.stats[:3], abs=1e-9)


def _in_image(outputs: dict[str, np.ndarray], row: int, fit: Fit) -> tuple[np.ndarray, ...]:
    boxes, scores, labels, _ = detections_in_image(outputs, row, fit)
    assert (boxes == boxes.round(2)).all()
    assert (scores == scores.round(5)).all()
    return boxes, scores, labels


def test_without_detections_every_object_is_missed() -> None:
    records = [image_of(thing(0, 0, 0, 9, 9)), image_of()]
    report = metric_of(records, [found(), found()], CLASSES).report()
    assert (report["metrics"]["ap"], report["metrics"]["voc07"], report["metrics"]["ar100"]) == (0, 0, 0)
    assert [report["metrics"][name] for name in ("precision", "recall", "f1")] == [None, 0, 0]
    assert (report["per_class"][0]["recall"], report["per_class"][0]["threshold"]) == (0, None)
    assert report["worst"] == [{"index": 0, "file": "images/a.jpg", "missed": 1, "false": 0}]


def test_classes_without_objects_to_find_are_left_out_of_means() -> None:
    record = image_of(
        thing(0, 0, 0, 20, 20), thing(1, 30, 30, 60, 60, crowd=True), thing(2, 90, 90, 99, 99, difficult=True)
    )
    answer = found((0, 0.9, 0, 0, 20, 20), (1, 0.8, 31, 31, 40, 40), (2, 0.9, 90, 90, 99, 99), (3, 0.95, 5, 5, 9, 9))
    report = metric_of([record], [answer], CLASSES).report()
    assert (report["metrics"]["ap"], report["metrics"]["voc07"]) == pytest.approx((1, 1))
    assert [row["ap"] for row in report["per_class"][1:]] == [None] * 3
    assert [row["objects"] for row in report["per_class"]] == [1, 0, 0, 0]
    assert [row["found"] for row in report["per_class"]] == [1, 0, 0, 1]  # rare classes share a score
    assert report["pr"][1:] == [None] * 3


def test_without_objects_figures_are_undefined_and_the_report_is_json() -> None:
    metric = metric_of([image_of(thing(1, 0, 0, 5, 5, crowd=True))], [found((0, 0.5, 0, 0, 9, 9))], CLASSES)
    assert all(math.isnan(value) for value in metric.compute().values())
    report = json.loads(json.dumps(metric.report(), allow_nan=False))
    assert set(report["metrics"].values()) == {None}
    empty = DetectionMetric(CLASSES)
    assert empty.report()["num_images"] == 0
    assert all(math.isnan(value) for value in empty.compute().values())


def test_thresholds_of_the_validation_split_are_used() -> None:
    records, answers = random_case(4)
    own = metric_of(records, answers, CLASSES)
    given = DetectionMetric(CLASSES, thresholds=[0.9] * len(CLASSES))
    given.update(batch_of(records), dense(answers))
    report, of_own = given.report(), own.report()
    assert [row["threshold"] for row in report["per_class"]] == [0.9] * len(CLASSES)
    assert [row["threshold"] for row in of_own["per_class"]] == finite(own.best_thresholds().tolist())
    assert report["metrics"]["f1"] < of_own["metrics"]["f1"]
    for one, other in zip(report["per_class"], of_own["per_class"], strict=True):
        assert (one["f1"] or 0) <= (other["f1"] or 0)
    assert sum(row["found"] for row in report["per_class"]) < sum(row["found"] for row in of_own["per_class"])
    with pytest.raises(ValueError, match="thresholds"):
        given.merge(own)


def test_thresholds_of_several_networks_become_their_mean_over_images() -> None:
    records, answers = random_case(4, images=8)
    first, second = (DetectionMetric(CLASSES, thresholds=[least] * len(CLASSES)) for least in (0.8, 0.4))
    first.update(batch_of(records[:2]), dense(answers[:2]))
    second.update(batch_of(records[2:]), dense(answers[2:]))
    first.merge(second)
    whole = DetectionMetric(CLASSES, thresholds=[0.5] * len(CLASSES))
    whole.update(batch_of(records), dense(answers))
    assert first.report() == whole.report()


def test_sizes_are_those_of_coco() -> None:
    record = image_of(
        thing(0, 0, 0, 10, 10), thing(0, 0, 20, 40, 60), thing(0, 50, 0, 150, 100), thing(0, 0, 70, 5, 75, crowd=True)
    )
    answer = found((0, 0.9, 0, 0, 10, 10), (0, 0.8, 50, 0, 150, 100))
    rows = metric_of([record], [answer], CLASSES).report()["by_size"]
    assert [(row["name"], row["objects"], row["ap"]) for row in rows] == [
        ("small", 1, pytest.approx(1)),
        ("medium", 1, 0),
        ("large", 1, pytest.approx(1)),
    ]


@pytest.mark.parametrize("name", ["labels", "counts", "masks"])
def test_outputs_that_do_not_fit_are_refused(name: str) -> None:
    outputs = dense([found((0, 0.5, 0, 0, 9, 9))])
    if name == "labels":
        outputs["labels"][0, 0] = 4
    elif name == "counts":
        outputs["counts"] = np.array([1, 1])
    with pytest.raises(ValueError, match=name):
        DetectionMetric(CLASSES, has_masks=name == "masks").update(batch_of([image_of()]), outputs)


def test_an_epoch_is_measured_quickly_and_reported_in_seconds() -> None:
    records, answers = random_case(0, images=100, classes=10)
    metric = metric_of(records, answers, [str(label) for label in range(10)])
    start = time.process_time()
    metric.compute()
    middle = time.process_time()
    metric.report()
    assert middle - start < 0.5  # 0.01 s measured
    assert time.process_time() - middle < 3  # 0.4 s measured


def test_it_imports_no_torch() -> None:
    code = "import sys, dlcli.metrics.detection; sys.exit(bool({'torch', 'hotcoco'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
