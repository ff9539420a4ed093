"""The pictures that a training of a detector leaves behind."""

from __future__ import annotations

import numpy as np

from dlcli.data.annotated.answers import detections_in_image, least_scores
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.engine.evaluate import infer_arrays
from dlcli.engine.task import Samples, Task
from dlcli.tasks.annotated.source import AnnotatedSource

NUM_TRAINING, NUM_ANSWERS = 8, 8
"""Images in the samples of an epoch: augmented ones, and validation images with answers."""


def detection_samples(task: Task, source: AnnotatedSource, preprocess: CanvasPreprocess) -> Samples:
    """Return augmented training images with their boxes above validation images with what is found in them."""
    from dlcli.visualize.boxes import DrawnBox, draw_boxes
    from dlcli.visualize.canvas import stack, tile

    batch = next(iter(task.loader("train", training=True).batches()))
    images = batch["images"][:NUM_TRAINING].permute(0, 2, 3, 1).numpy()
    seen = []
    for image, boxes, labels in zip(images, batch["boxes"], batch["labels"], strict=False):
        drawn = zip(boxes.tolist(), labels.tolist(), strict=True)
        seen.append(draw_boxes(image, [DrawnBox(tuple(box), label) for box, label in drawn], source.labels))
    answered = [_answered(image, task, preprocess, source.labels) for image, _ in source.some("valid", NUM_ANSWERS)]
    return Samples(stack([tile(seen), tile(answered)]) if answered else tile(seen))


def _answered(image: np.ndarray, task: Task, preprocess: CanvasPreprocess, labels: tuple[str, ...]) -> np.ndarray:
    """Return the canvas of an image with what is found in it and worth showing."""
    from dlcli.visualize.boxes import DrawnBox, draw_boxes

    canvas, fit = preprocess.fit(image)
    outputs = infer_arrays(task, {"images": canvas.transpose(2, 0, 1)[np.newaxis]})
    found = detections_in_image(outputs, 0, fit)
    shown = found.scores >= least_scores(outputs["thresholds"][0])[found.labels]
    boxes = fit.to_canvas(found.boxes[shown]).tolist()
    entries = zip(boxes, found.labels[shown].tolist(), found.scores[shown].tolist(), strict=True)
    return draw_boxes(canvas, [DrawnBox(tuple(box), label, score) for box, label, score in entries], labels)
