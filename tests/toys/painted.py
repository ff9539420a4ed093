"""Photos of painted boxes with their annotations, and a detector that sees them exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from dlcli.core.train_config import TrainConfig
from dlcli.models.detection.detector import Detections, Limits, Target
from dlcli.models.detection.suppression import select
from dlcli.tasks.detection.config import DetectionConfig
from dlcli.tasks.detection.task import DetectionTask
from toys.annotated import voc_file, voc_object

COLOURS = {"cat": 0, "dog": 1, "emu": 2}
"""The channel in which each class is bright; everything else is dark."""

Painted = tuple[str, tuple[int, int, int, int]]
"""The class and the xyxy box of an object in pixels."""

SHAPES = ((96, 128), (128, 96), (128, 128))
"""Heights and widths of the photos in turn: their canvases at 64 pixels are half as large."""


def paint(path: Path, objects: Sequence[Painted], shape: tuple[int, int]) -> None:
    """Write a PNG of this height and width."""
    image = np.full((*shape, 3), 20, np.uint8)
    for name, (left, top, right, bottom) in objects:
        image[top:bottom, left:right, COLOURS[name]] = 250
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())


def painted_voc(root: Path, photos: Mapping[str, Sequence[Painted]], **lists: str) -> Path:
    """Write a folder of VOC, of which each list (train, test, ...) has the ids of its photos and blanks."""
    for number, (name, objects) in enumerate(photos.items()):
        shape = SHAPES[number % len(SHAPES)]
        paint(root / "JPEGImages" / f"{name}.png", objects, shape)
        found = [voc_object(label, (box[0] + 1, box[1] + 1, *box[2:])) for label, box in objects]  # VOC counts from 1
        path = root / "Annotations" / f"{name}.xml"
        voc_file(path, found, filename=f"{name}.png", size=shape[::-1])
    for name, ids in lists.items():
        path = root / "ImageSets" / "Main" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(ids.split()) + "\n", encoding="utf-8")
    return root


def photos_of(count: int, *, classes: Sequence[str] = ("cat", "dog"), prefix: str = "p") -> dict[str, list[Painted]]:
    """Return `count` photos by name with one box of each class, whose sides are even: halved, they are still whole."""
    random, photos = np.random.default_rng(count), {}
    for number in range(count):
        objects: list[Painted] = []
        for column, name in enumerate(classes):
            width, height = (2 * random.integers(6, (13, 20))).tolist()
            left, top = 2 * int(random.integers(0, 2)) + column * 32, 2 * int(random.integers(0, 20))
            objects.append((name, (left, top, left + width, top + height)))
        photos[f"{prefix}{number:02}"] = objects
    return photos


def detection_task(data: Path, *, train: Mapping[str, Any] | None = None, **config: Any) -> DetectionTask:
    """Return the task on a folder, with a small network of seeded weights."""
    torch.manual_seed(0)
    return DetectionTask.from_data(small_config(**config), small_train(**(train or {})), data)


def small_config(**changes: Any) -> DetectionConfig:
    return DetectionConfig(**{"backbone": "wren", "pretrained": "none", "width": 16, "image_size": 64, **changes})


def small_train(**changes: Any) -> TrainConfig:
    return TrainConfig(**{"batch_size": 4, "workers": 0, "learning_rate": 0.01, **changes})


class Seeing(nn.Module):
    """A detector that finds the painted box of each class exactly, and a worse one in the corner.

    Args:
        labels: class names in the order of its answers.
        shift: added to all positions, in pixels.
    """

    def __init__(self, labels: Sequence[str], shift: float = 0.0) -> None:
        super().__init__()
        self.channels = [COLOURS[name] for name in labels]
        self.shift = shift
        self.weight = nn.Parameter(torch.zeros(1))

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        return {"none": self.weight.sum() * len(targets) * images.sum()}

    def detect(self, images: Tensor, limits: Limits) -> Detections:
        boxes, scores = images.new_zeros(len(images), 6, 4), images.new_zeros(len(images), 6, len(self.channels))
        boxes[:, len(self.channels)] = torch.tensor([0.0, 0.0, 3.0, 3.0])
        scores[:, len(self.channels), 0] = 0.4
        for row, image in enumerate(images):
            for label, channel in enumerate(self.channels):
                y, x = torch.nonzero(image[channel] > 1.5, as_tuple=True)  # normalised: 250 is above 2, grey below 0
                if len(x):
                    boxes[row, label] = torch.stack([x.min(), y.min(), x.max() + 1, y.max() + 1]).float() + self.shift
                    scores[row, label, label] = 0.8
        return select(boxes, scores, limits)
