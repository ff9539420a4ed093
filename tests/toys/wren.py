"""A tiny Wren and generated images for it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dlcli.models.detection.body import WrenBody
from dlcli.models.detection.detector import Target
from dlcli.models.detection.wren import Wren

NO_BOXES = torch.zeros(0, 4)
COLOURS = ((1.5, -1.0, -1.0), (-1.0, 1.5, -1.0))


def tiny_wren(num_classes: int = 2, width: int = 16) -> Wren:
    return Wren(num_classes, WrenBody(width=8), width)


def target_of(boxes: list[list[float]], labels: list[int], ignored: list[list[float]] | None = None) -> Target:
    return Target(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(labels, dtype=torch.int64),
        None,
        torch.tensor(ignored or [], dtype=torch.float32).reshape(-1, 4),
    )


def rectangles(count: int, height: int = 64, width: int = 96, seed: int = 0) -> tuple[Tensor, list[Target]]:
    """Return grey noise with one or two coloured rectangles in each image, side by side."""
    numbers = np.random.default_rng(seed)
    images = torch.from_numpy(numbers.normal(0, 0.1, (count, 3, height, width)).astype(np.float32))
    targets = []
    for image in images:
        boxes, labels = [], []
        for column in range(int(numbers.integers(1, 3))):
            sides = numbers.integers(14, (height - 8, width // 2 - 8))
            top = int(numbers.integers(0, height - sides[0]))
            left = column * width // 2 + int(numbers.integers(0, width // 2 - sides[1]))
            label = int(numbers.integers(0, 2))
            box = [left, top, left + int(sides[1]), top + int(sides[0])]
            image[:, box[1] : box[3], box[0] : box[2]] = torch.tensor(COLOURS[label])[:, None, None]
            boxes.append(box)
            labels.append(label)
        targets.append(target_of(boxes, labels))
    return images, targets
