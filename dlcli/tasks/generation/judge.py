"""A classifier of ours as the judge of generated images: their classes, and its features of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.registry import load_object
from dlcli.core.run_dir import resolve_run
from dlcli.data.codec import Source
from dlcli.engine.compute.device import to_numpy
from dlcli.engine.evaluate import infer_arrays
from dlcli.engine.runs.restore import load_task
from dlcli.engine.task import network_of
from dlcli.models.heads import head_of, item_vectors, watching
from dlcli.tasks.generation.codec import as_picture

BATCH = 256
LOGITS = "logits"


@dataclass(frozen=True)
class Judgement:
    """What a classifier makes of N images.

    Attributes:
        probabilities: (N, K) float64, by its classes.
        features: (N, F) float64, the inputs of its last layer.
    """

    probabilities: np.ndarray
    features: np.ndarray


class Judge:
    """A classifier that sees images as `dl predict` would show them to it.

    Args:
        name: what the user calls it, for messages.
        task: its task, with trained weights.
        codec: its codec, which encodes the bytes of an image file.
        labels: its classes.

    Raises:
        UsageError: its last layer cannot be found.
    """

    def __init__(self, name: str, task: Any, codec: Any, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self._task = task
        self._codec = codec
        try:
            self._head: nn.Module = head_of(network_of(task))
        except ValueError as error:
            raise UsageError(f"--judge {name}: {error}", hint="name a run of another network") from None

    def __call__(self, images: np.ndarray) -> Judgement:
        """Return what it makes of images, (N, C, H, W) uint8."""
        probabilities, features = [], []
        for start in range(0, len(images), BATCH):
            found = self._judge(images[start : start + BATCH])
            probabilities.append(found.probabilities)
            features.append(found.features)
        return Judgement(np.concatenate(probabilities), np.concatenate(features))

    def _judge(self, images: np.ndarray) -> Judgement:
        from dlcli.visualize.canvas import encode_png

        items = [
            self._codec.encode(Source(str(row), encode_png(as_picture(image)))) for row, image in enumerate(images)
        ]
        [(_, arrays)] = self._codec.batches(items)  # all are of one size
        with watching(self._head) as seen, torch.inference_mode():
            logits = infer_arrays(self._task, arrays)[LOGITS].astype(np.float64)
            features = item_vectors(seen[-1])
        return Judgement(softmax(logits, axis=1), to_numpy(features).astype(np.float64))


def open_judge(name: str, classes: Sequence[str]) -> Judge:
    """Return the classifier of a run.

    Args:
        name: the run, as for `dl eval`.
        classes: of the images that it will see.

    Raises:
        RunError: there is no such run, or it is damaged.
        UsageError: it is no classifier of images, or does not know one of the classes.
    """
    task, description = load_task(resolve_run(name))
    labels = description.assets.get("labels")
    is_classifier = task.inputs == ("images",) and task.outputs == (LOGITS,) and description.spec.form == "images"
    if not is_classifier or not isinstance(labels, list):
        raise UsageError(
            f"--judge {name}: a run of {description.task}, which does not classify images",
            hint="train one with `dl train classification --data DATA`",
        )
    unknown = [one for one in classes if one not in labels]
    if unknown:
        raise UsageError(
            f"--judge {name}: does not know the class {unknown[0]!r}",
            details=[f"it knows: {', '.join(map(str, labels[:10]))}{', ...' if len(labels) > 10 else ''}"],
            hint="name a classifier of the same data",
        )
    codec = load_object(description.spec.codec)(description.assets, None)
    return Judge(name, task, codec, tuple(labels))
