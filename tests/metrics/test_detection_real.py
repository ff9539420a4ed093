"""The metric of detection on real annotations: COCO's polygons and crowds, and Pascal VOC's boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.answers import ImageDetections
from dlcli.data.annotated.checking import check
from dlcli.data.annotated.formats import coco, voc
from dlcli.data.annotated.found import Reading
from dlcli.data.annotated.masks import from_pixels, hull_of, to_pixels
from dlcli.metrics import coco_ap
from dlcli.metrics.detection_checks import check_metric
from tests.metrics.detections import pycocotools_figures

pytestmark = pytest.mark.slow


def moved_truth(record: AnnotatedImage, rng: np.random.Generator) -> ImageDetections:
    """Return the objects of an image with masks a few pixels beside their own, and some of another class."""
    masks, boxes, labels = [], [], []
    for each in record.objects:
        if each.is_crowd or each.segmentation is None:
            continue
        pixels = np.roll(to_pixels(each.segmentation, record.height, record.width), rng.integers(-4, 5, 2), (0, 1))
        if pixels.any():
            masks.append(from_pixels(pixels))
            boxes.append(hull_of([masks[-1]], record.height, record.width))
            labels.append(each.label if rng.random() < 0.9 else (each.label + 1) % 80)
    scores = rng.random(len(labels)).round(3)
    return ImageDetections(np.array(boxes).reshape(-1, 4), scores, np.array(labels, np.int64), tuple(masks))


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_ap_on_coco_equals_pycocotools(real_data: Path, kind: str) -> None:
    source = real_data / "coco-mini"
    records = check(coco.read(source, Reading()), source).images["valid"][:80]
    assert any(each.is_crowd for record in records for each in record.objects)
    rng = np.random.default_rng(0)
    answers = [moved_truth(record, rng) for record in records]
    peer = pycocotools_figures(records, answers, 80, kind)
    figures = coco_ap.class_figures(coco_ap.evaluate(records, answers, 80, masks=kind == "segm"))
    means = [coco_ap.mean_over_classes(figures[name]) for name in ("ap", "ap50", "ap75")]
    assert 0.1 < means[0] < 0.9
    assert means == pytest.approx(peer.stats[:3], abs=1e-9)


@pytest.mark.parametrize(("name", "reader"), [("coco-mini", coco), ("bccd", voc), ("raccoon", voc)])
def test_the_checks_pass_on_real_annotations(real_data: Path, name: str, reader: object) -> None:
    checked = check(reader.read(real_data / name, Reading()), real_data / name)  # type: ignore[attr-defined]
    for records in checked.images.values():
        assert check_metric(records, checked.classes) == []
