"""Random annotated images and detections of them, for the tests of metrics of detection."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.answers import ImageDetections
from dlcli.data.annotated.masks import from_pixels
from dlcli.metrics.detection import DetectionMetric

HEIGHT, WIDTH = 200, 240


def thing(label: int, *box: float, crowd: bool = False, difficult: bool = False) -> Annotation:
    """Return an object without a mask."""
    left, top, right, bottom = box
    return Annotation(label, (left, top, right, bottom), (right - left) * (bottom - top), crowd, difficult)


def image_of(*objects: Annotation, height: int = HEIGHT, width: int = WIDTH) -> AnnotatedImage:
    """Return an image of 240 x 200 pixels."""
    return AnnotatedImage("images/a.jpg", height, width, objects)


def found(*rows: tuple[int, float, float, float, float, float]) -> ImageDetections:
    """Return detections, each (label, score, left, top, right, bottom)."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return ImageDetections(table[:, 2:], table[:, 1], table[:, 0].astype(np.int64))


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return (count, 4) xyxy within the image, of sides from 3 to 180 pixels: small, medium and large ones."""
    sides = np.exp(rng.uniform(np.log(3), np.log(180), (count, 2)))
    corner = rng.uniform(0, 1, (count, 2)) * ([WIDTH, HEIGHT] - sides)
    return np.concatenate([corner, corner + sides], axis=1).round(2)


def ellipse(box: Sequence[float]) -> np.ndarray:
    """Return the ellipse in a box as pixels."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    across, down = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
    return (((x - box[0]) / across - 1) ** 2 + ((y - box[1]) / down - 1) ** 2 <= 1).astype(np.uint8)


def random_case(
    seed: int, images: int = 30, classes: int = 4, masks: bool = False
) -> tuple[list[AnnotatedImage], list[ImageDetections]]:
    """Return images with crowds, difficult objects and none at all, and detections near them and anywhere.

    Scores have two decimals, so that many are equal.
    """
    rng = np.random.default_rng(seed)
    records, answers = [], []
    for index in range(images):
        count = int(rng.integers(0, 9))
        boxes, labels = random_boxes(rng, count), rng.integers(0, classes, count)
        objects = tuple(
            Annotation(
                label=int(label),
                box=tuple(box.tolist()),
                area=float(ellipse(box).sum() if masks else np.prod(box[2:] - box[:2])),
                is_crowd=bool(rng.random() < 0.12),
                is_difficult=bool(rng.random() < 0.12),
                segmentation=from_pixels(ellipse(box)) if masks else None,
            )
            for box, label in zip(boxes, labels, strict=True)
        )
        records.append(AnnotatedImage(f"images/{index:03}.jpg", HEIGHT, WIDTH, objects))
        near = np.repeat(boxes, 2, axis=0) + rng.normal(0, 3, (2 * count, 4))
        spread = np.concatenate([near.clip(0, [WIDTH, HEIGHT] * 2), random_boxes(rng, 5)]).round(2)
        guess = np.concatenate([np.repeat(labels, 2), rng.integers(0, classes, 5)])
        is_sound = (spread[:, 2:] - spread[:, :2] > 1).all(axis=1)
        scores = rng.random(len(spread)).round(2)
        order = np.argsort(-scores, kind="stable")
        order = order[is_sound[order]]
        shapes = tuple(from_pixels(ellipse(spread[i])) for i in order) if masks else None
        answers.append(ImageDetections(spread[order], scores[order], guess[order], shapes))
    return records, answers


def metric_of(
    records: Sequence[AnnotatedImage],
    answers: Sequence[ImageDetections],
    classes: Sequence[str],
) -> DetectionMetric:
    """Return the metric after dense batches of four, with canvases of the images' own size."""
    metric = DetectionMetric(classes)
    for start in range(0, len(records), 4):
        some = slice(start, start + 4)
        metric.update(batch_of(records[some]), dense(answers[some]))
    return metric


def batch_of(records: Sequence[AnnotatedImage]) -> dict[str, Any]:
    """Return the batch of images that fill their canvases."""
    sizes = [(each.height, each.width) * 3 for each in records]
    return {"records": list(records), "fits": np.array(sizes, np.int64).reshape(-1, 6)}


def dense(answers: Sequence[ImageDetections]) -> dict[str, np.ndarray]:
    """Return boxes of images as a model's padded outputs."""
    most = max([len(each.scores) for each in answers], default=0) + 2
    outputs = {
        "boxes": np.full((len(answers), most, 4), 7, np.float32),
        "scores": np.full((len(answers), most), 0.99, np.float32),
        "labels": np.zeros((len(answers), most), np.int64),
        "counts": np.array([len(each.scores) for each in answers], np.int64),
    }
    for row, each in enumerate(answers):
        for name, values in zip(("boxes", "scores", "labels"), each[:3], strict=True):
            outputs[name][row, : len(values)] = values
    return outputs


def pycocotools_figures(
    records: Sequence[AnnotatedImage], answers: Sequence[ImageDetections], classes: int, kind: str = "bbox"
) -> Any:
    """Return pycocotools' evaluation, which honours `ignore`: the official script overwrites it with `iscrowd`."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for index, (record, answer) in enumerate(zip(records, answers, strict=True)):
        for each in record.objects:
            entry = _entry(index, each.label, each.box) | {"area": each.area, "iscrowd": int(each.is_crowd)}
            entry |= {"id": len(annotations) + 1, "difficult": each.is_difficult, "segmentation": each.segmentation}
            annotations.append(entry)
        for row, box in enumerate(answer.boxes.tolist()):
            entry = _entry(index, int(answer.labels[row]), box) | {"score": float(answer.scores[row])}
            if kind == "segm":
                entry = {**entry, "segmentation": answer.masks[row]}  # type: ignore[index]
                del entry["bbox"]
            results.append(entry)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": i + 1, "height": r.height, "width": r.width} for i, r in enumerate(records)],
            "categories": [{"id": label + 1} for label in range(classes)],
            "annotations": annotations,
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), kind)
        prepare = evaluation._prepare

        def prepare_with_ignored() -> None:
            prepare()
            for each in (entry for entries in evaluation._gts.values() for entry in entries):
                each["ignore"] = each["iscrowd"] or int(each["difficult"])

        evaluation._prepare = prepare_with_ignored
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _entry(index: int, label: int, box: Sequence[float]) -> dict[str, Any]:
    left, top, right, bottom = box
    return {"image_id": index + 1, "category_id": label + 1, "bbox": [left, top, right - left, bottom - top]}
