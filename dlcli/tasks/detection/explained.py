"""What a detector learns from where, for pictures."""

from __future__ import annotations

import numpy as np
import torch

from dlcli.core.errors import UsageError
from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.augmenting import Augmented, Recipe, augment
from dlcli.data.annotated.form import AnnotatedForm
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.labels import indices_in_run
from dlcli.models.detection.detector import Target
from dlcli.models.detection.explaining import Explains, Explanation
from dlcli.models.detection.normalised import NormalisedDetector
from dlcli.models.modes import evaluating
from dlcli.tasks.detection.task import DetectionTask

GREY = 160


def empty_canvas(preprocess: CanvasPreprocess) -> np.ndarray:
    """Return a grey canvas of an image of 4 : 3, (H, W, 3) uint8."""
    return np.full((*preprocess.fit_of((3 * preprocess.side, 4 * preprocess.side)).canvas, 3), GREY, np.uint8)


def explain_canvas(task: DetectionTask, canvas: np.ndarray, name: str) -> Explanation:
    """Return where a detector predicts from in a canvas without objects, (H, W, 3) uint8.

    Raises:
        UsageError: it has neither anchors nor points; `name` is what the message says does not.
    """
    nothing = torch.zeros(0, 4)
    return _explain(task, canvas, Target(nothing, torch.zeros(0, dtype=torch.int64), None, nothing), name)


def explain_record(
    task: DetectionTask, form: AnnotatedForm, record: AnnotatedImage, name: str
) -> tuple[Augmented, Explanation]:
    """Return an image as it is trained without augmentation, and what each place of a detector learns of it.

    Raises:
        UsageError: the detector has neither anchors nor points; `name` is what the message says does not.
        DataError: the image cannot be read, or has a class that the task does not have.
    """
    canvas = task.preprocess.fit_of((record.height, record.width)).canvas
    seen = augment(form.read(record), record, canvas, Recipe(), 0)
    to_run = indices_in_run(form.card.classes, task.labels, form.root)
    labels = torch.from_numpy(np.asarray(to_run)[seen.labels].astype(np.int64))
    target = Target(torch.from_numpy(seen.boxes).float(), labels, None, torch.from_numpy(seen.ignored).float())
    return seen, _explain(task, seen.image, target, name)


def _explain(task: DetectionTask, canvas: np.ndarray, target: Target, name: str) -> Explanation:
    model = task.model
    assert isinstance(model, NormalisedDetector)
    if not isinstance(model.network, Explains):
        raise UsageError(
            f"{name}: its detector has neither anchors nor points of its own to draw",
            hint="wren, ssd and ssd-lesson have some",
        )
    images = torch.from_numpy(np.ascontiguousarray(canvas.transpose(2, 0, 1)))[None]
    with evaluating(model), torch.inference_mode():
        return model.network.explain(model.pixels(images), [target])
