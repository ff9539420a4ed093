"""Pictures of coloured rectangles, for detectors that are small enough for a test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.ops import box_iou

from dlcli.export.align import detections_aligned
from dlcli.models.detection.detector import Detections, Detector, Limits, Target

COLOURS = ((2.0, -1.0, -1.0), (-1.0, 2.0, -1.0), (-1.0, -1.0, 2.0))
"""The colour of each class, on a dark ground with noise."""

USUAL = Limits()
FIELDS = ("boxes", "scores", "labels", "counts")


def target(boxes: Sequence[Sequence[float]] = (), labels: Sequence[int] = (), ignored: Sequence[Sequence[float]] = ()):
    """Return a target of these xyxy boxes in pixels."""
    return Target(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(labels, dtype=torch.int64),
        None,
        torch.tensor(ignored, dtype=torch.float32).reshape(-1, 4),
    )


def scenes(count: int, *, side: int = 64, most: int = 2, seed: int = 0) -> tuple[Tensor, list[Target]]:
    """Return (count, 3, side, side) images and what they show: 1 to `most` rectangles that do not overlap."""
    rng = np.random.default_rng(seed)
    images = torch.from_numpy(rng.normal(-0.5, 0.1, (count, 3, side, side)).astype(np.float32))
    targets = []
    for image in images:
        boxes: list[list[float]] = []
        labels: list[int] = []
        while len(boxes) < 1 + len(targets) % most:
            width, height = rng.integers(side // 5, side // 2, 2)
            x, y = rng.integers(0, side - width), rng.integers(0, side - height)
            box = [float(each) for each in (x, y, x + width, y + height)]
            if boxes and float(box_iou(torch.tensor([box]), torch.tensor(boxes)).max()) > 0.0:
                continue
            boxes.append(box)
            labels.append(int(rng.integers(len(COLOURS))))
            image[:, y : y + height, x : x + width] = torch.tensor(COLOURS[labels[-1]])[:, None, None]
        targets.append(target(boxes, labels))
    return images, targets


def overfit(network: nn.Module, images: Tensor, targets: Sequence[Target], *, steps: int, lr: float) -> None:
    """Train on one batch, in place.

    Dropout is turned off: in a hundred steps it hides what a network has learned.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    optimizer = torch.optim.AdamW(network.parameters(), lr, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.1)
    network.train()
    for _ in range(steps):
        total = sum_of(network.losses(images, targets))
        optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    network.eval()


def sum_of(losses: dict[str, Tensor]) -> Tensor:
    """Return the sum of a detector's losses."""
    return torch.stack(list(losses.values())).sum()


def recovered(network: Detector, images: Tensor, targets: Sequence[Target], limits: Limits = USUAL) -> float:
    """Return the share of objects that are found, where an image's K objects are compared with its first K detections.

    An object is found by a detection of its class that overlaps it by half; so a wrong detection costs an object.
    """
    with torch.no_grad():
        found = network.detect(images, limits)
    hits = total = 0
    for index, wanted in enumerate(targets):
        count = len(wanted.boxes)
        total += count
        boxes, labels = found.boxes[index, :count], found.labels[index, :count]
        present = torch.arange(len(boxes)) < found.counts[index]
        overlaps = box_iou(wanted.boxes, boxes) * (wanted.labels[:, None] == labels) * present
        hits += int((overlaps.max(dim=1).values >= 0.5).sum()) if count else 0
    return hits / total


def assert_same_alone(network: Detector, images: Tensor, limits: Limits) -> Detections:
    """Check that each image has the same detections alone and in the batch; return those of the batch.

    Detections of equal scores may change places: sums over a batch are rounded in another order.
    """
    bounds = {"boxes": 2e-2, "scores": 1e-3, "labels": 0.0, "counts": 0.0}
    with torch.no_grad():
        together = network.detect(images, limits)
        for index in range(len(images)):
            alone = network.detect(images[index : index + 1], limits)
            count = int(together.counts[index])
            assert int(alone.counts[0]) == count
            wanted = {name: getattr(together, name)[index : index + 1].numpy() for name in FIELDS}
            given = detections_aligned(wanted, {name: getattr(alone, name).numpy() for name in FIELDS}, bounds)
            for name, tolerance in (("scores", 1e-4), ("boxes", 2e-2)):
                np.testing.assert_allclose(given[name][0, :count], wanted[name][0, :count], atol=tolerance, rtol=1e-3)
            assert np.array_equal(given["labels"][0, :count], wanted["labels"][0, :count])
    return together
