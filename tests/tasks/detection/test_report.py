"""The tables and pictures of a report, made by the metric itself."""

from __future__ import annotations

import numpy as np

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.fitting import Fit
from dlcli.metrics.detection import DetectionMetric
from dlcli.tasks.detection.report import draw_detection_report, tables_of

CLASSES = ("cat", "dog", "emu", "fox")


def report():
    """A cat that is found, a dog that is missed, an emu where there is none; no fox anywhere."""
    objects = (Annotation(0, (0, 0, 20, 20), 400), Annotation(1, (40, 40, 60, 60), 400))
    metric = DetectionMetric(CLASSES, thresholds=[0.3] * len(CLASSES))
    batch = {"records": [AnnotatedImage("a.jpg", 64, 64, objects)], "fits": [Fit((64, 64), (64, 64), (64, 64)).numbers]}
    boxes = np.array([[[0, 0, 20, 20], [0, 40, 10, 60]]], np.float32)
    found = {"boxes": boxes, "scores": np.array([[0.9, 0.8]]), "labels": np.array([[0, 2]]), "counts": np.array([2])}
    metric.update(batch, found)
    return metric.report()


def test_the_table_lists_classes_with_objects_or_detections():
    classes, sizes = tables_of(report())
    assert [entry["name"] for entry in classes.entries] == ["cat", "dog", "emu"]
    assert [entry["recall"] for entry in classes.entries][:2] == [1.0, 0.0]
    assert sum(entry["objects"] for entry in sizes.entries) == 2


def test_curves_and_errors_are_drawn():
    pictures = dict(draw_detection_report(report(), CLASSES))
    assert list(pictures) == ["pr.png", "errors.png"]
    assert all(picture.dtype == np.uint8 and picture.ndim == 3 for picture in pictures.values())
    assert all(len(np.unique(picture)) > 10 for picture in pictures.values())
