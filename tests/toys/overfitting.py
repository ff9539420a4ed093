"""Training on one batch until it is known by heart, and the AP of what is found in it then."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.fitting import Fit
from dlcli.data.annotated.masks import from_pixels
from dlcli.metrics.detection import DetectionMetric
from dlcli.models.detection.detector import Detector, Limits, Target
from toys.rectangles import COLOURS

USUAL = Limits()


def average_precision(
    network: Detector, images: Tensor, targets: Sequence[Target], limits: Limits = USUAL
) -> dict[str, float]:
    """Return the figures of a detector in evaluation mode, those of masks where the targets have some."""
    height, width = images.shape[2:]
    has_masks = targets[0].masks is not None
    metric = DetectionMetric([str(label) for label in range(len(COLOURS))], has_masks=has_masks)
    with torch.no_grad():
        found = {
            name: value.numpy() for name, value in network.detect(images, limits)._asdict().items() if value is not None
        }
    records = [_record(str(number), each, height, width) for number, each in enumerate(targets)]
    fit = Fit((height, width), (height, width), (height, width))
    metric.update({"records": records, "fits": np.array([fit.numbers] * len(records))}, found)
    return metric.compute()


def _record(name: str, target: Target, height: int, width: int) -> AnnotatedImage:
    masks = [None] * len(target.boxes) if target.masks is None else [from_pixels(each.numpy()) for each in target.masks]
    objects = []
    for box, label, mask in zip(target.boxes.tolist(), target.labels.tolist(), masks, strict=True):
        left, top, right, bottom = box
        objects.append(
            Annotation(label, (left, top, right, bottom), (right - left) * (bottom - top), segmentation=mask)
        )
    return AnnotatedImage(name, height, width, tuple(objects))


def settle_norms(network: nn.Module, images: Tensor, targets: Sequence[Target]) -> None:
    """Give the norms the statistics of the trained weights: a hundred steps are too few for running ones."""
    norms = [each for each in network.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches
    network.train()
    with torch.no_grad():
        network.losses(images, targets)
    network.eval()
