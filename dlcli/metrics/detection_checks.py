"""The metric of detection checks itself on the data that it measures: known answers have known figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.answers import ImageDetections, detections_in_image
from dlcli.data.annotated.fitting import fit_size
from dlcli.metrics import coco_ap

MAX_IMAGES = 200
SIDE = 640
"""The longer side of the canvas through which the known answers go."""


def check_metric(records: Sequence[AnnotatedImage], classes: Sequence[str]) -> list[str]:
    """Return what is wrong with the metric, one line each: the truth must have an AP of 1, the truth moved away 0.

    The truth goes through a canvas and back to the image, as a model's answers do. At most 200 images are used, and
    of them objects that survive the rounding of answers (sides of 1 pixel at least) and the limit of 100 an image.

    Args:
        records: the images that are measured.
        classes: names of the classes.
    """
    measurable = [_measurable(record) for record in records]
    chosen = [record for record in measurable if record.objects][:MAX_IMAGES]
    if not chosen:
        return []
    truth = [_as_found(record) for record in chosen]
    faults = []
    for name, found, expected in (
        ("the truth", truth, 1.0),
        ("the truth moved out of the image", [_moved(*pair) for pair in zip(truth, chosen, strict=True)], 0.0),
    ):
        figures = coco_ap.class_figures(coco_ap.evaluate(chosen, found, len(classes)))
        value = coco_ap.mean_over_classes(figures["ap"])
        if not abs(value - expected) < 1e-9:
            faults.append(f"{name} has an AP of {value:.4f} instead of {expected:.0f}")
    return faults


def _measurable(record: AnnotatedImage) -> AnnotatedImage:
    objects = [
        each
        for each in record.objects
        if not (each.is_crowd or each.is_difficult) and min(each.box[2] - each.box[0], each.box[3] - each.box[1]) >= 1
    ]
    return dataclasses.replace(record, objects=tuple(objects[: coco_ap.MAX_DETECTIONS]))


def _as_found(record: AnnotatedImage) -> ImageDetections:
    fit = fit_size((record.height, record.width), SIDE)
    count = len(record.objects)
    outputs = {
        "boxes": fit.to_canvas(np.array([each.box for each in record.objects])).astype(np.float32)[None],
        "scores": np.full((1, count), 0.9, np.float32),
        "labels": np.array([[each.label for each in record.objects]]),
        "counts": np.array([count]),
    }
    return detections_in_image(outputs, 0, fit)


def _moved(found: ImageDetections, record: AnnotatedImage) -> ImageDetections:
    return found._replace(boxes=found.boxes + 2 * max(record.height, record.width))
