"""From every point's boxes and scores to a fixed number of detections, by non-maximum suppression.

Greedy suppression is a loop whose length depends on values, which no exporter traces. So it is one operator,
`dlcli::unsuppressed`, with dense inputs and outputs: torchvision's loop where torch runs, and ONNX's own
`NonMaxSuppression` in an exported graph (`translate_unsuppressed`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, library
from torchvision import ops

from dlcli.models.detection.detector import Detections, Limits

MAX_CANDIDATES = 1000
"""Pairs of box and class with the highest scores that take part, as in RetinaNet's scripts for each map."""

ABSENT = -1.0
"""Score of a candidate that is none."""

TIE_BREAK = 1e-15

ONNX_TRANSLATIONS: Mapping[str, str] = {
    "dlcli::unsuppressed": "dlcli.models.detection.suppression:translate_unsuppressed"
}
"""For `Graph.translations` of a graph that calls `select`."""


def select(boxes: Tensor, scores: Tensor, limits: Limits) -> Detections:
    """Return the detections of N images; of equal scores, the one with the lower point and class comes first.

    Each class is suppressed for itself. A box may be a detection of several classes.

    Args:
        boxes: (N, A, 4) float32 xyxy in pixels, none of them negative.
        scores: (N, A, C) float32 in [0, 1].
        limits: which detections are returned.
    """
    num_points, num_classes = scores.shape[1:]
    # Padded, so that there are enough to choose from: the number of points of an exported graph is known when it runs.
    num_candidates = max(MAX_CANDIDATES, limits.most)
    padded = F.pad(scores.flatten(1), (0, num_candidates), value=ABSENT)
    order = _largest(padded, num_candidates)
    best, places = padded.gather(1, order), order.clamp(max=num_points * num_classes - 1)
    best = torch.where(best >= limits.score, best, ABSENT)
    labels = places % num_classes
    rows = torch.div(places, num_classes, rounding_mode="floor")
    found = boxes.gather(1, rows[..., None].expand(-1, -1, 4))
    if limits.iou is not None:
        # Boxes of different classes are moved apart, so that they do not overlap.
        apart = labels[..., None] * (found.amax(dim=(1, 2), keepdim=True) + 1)
        best = torch.where(unsuppressed(found + apart, best, limits.iou), best, ABSENT)
    return _dense(found, best, labels, limits.most)


def _dense(boxes: Tensor, scores: Tensor, labels: Tensor, most: int) -> Detections:
    """Return the first `most` of the candidates (N, T) that are not absent, in their order."""
    order = _largest(scores, most)
    kept = scores.gather(1, order) > ABSENT
    return Detections(
        boxes.gather(1, order[..., None].expand(-1, -1, 4)) * kept[..., None],
        scores.gather(1, order) * kept,
        labels.gather(1, order) * kept,
        kept.sum(1),
    )


def _largest(scores: Tensor, count: int) -> Tensor:
    """Return the places of the largest scores, (N, count), in falling order; of equal ones, the first come first."""
    # Neither `topk` nor ONNX have a stable order, so the place is part of the key: 1e-15 for a million places is under
    # the distance of float32 scores from 0.01 on.
    places = torch.arange(scores.shape[1], device=scores.device, dtype=torch.float64)
    return (scores.to(torch.float64) - TIE_BREAK * places).topk(count, dim=1).indices


@library.custom_op("dlcli::unsuppressed", mutates_args=())
def unsuppressed(boxes: Tensor, scores: Tensor, iou: float) -> Tensor:
    """Return (N, T) bool, which candidates overlap with none of a higher score that itself remains.

    Args:
        boxes: (N, T, 4) float32 xyxy.
        scores: (N, T) float32 in falling order but for absent ones, which are `ABSENT` and never remain.
        iou: overlaps above this suppress.
    """
    remaining = torch.zeros_like(scores, dtype=torch.bool)
    for row, (own_boxes, own_scores) in enumerate(zip(boxes, scores, strict=True)):
        present = (own_scores > ABSENT).nonzero()[:, 0]
        remaining[row, present[ops.nms(own_boxes[present], own_scores[present], iou)]] = True
    return remaining


@unsuppressed.register_fake
def _(_boxes: Tensor, scores: Tensor, _iou: float) -> Tensor:
    return torch.empty_like(scores, dtype=torch.bool)


def translate_unsuppressed(boxes: Any, scores: Any, iou: float) -> Any:
    """Return the nodes of an ONNX graph that compute `unsuppressed`."""
    import onnxscript

    op: Any = onnxscript.opset20
    most = op.Constant(value_ints=[2**31 - 1])
    threshold = op.Constant(value_floats=[ABSENT / 2])
    limit = op.Constant(value_floats=[iou])
    by_class = op.Unsqueeze(scores, op.Constant(value_ints=[1]))
    selected = op.NonMaxSuppression(boxes, by_class, most, limit, threshold)  # rows of image, class, candidate
    places = op.Gather(selected, op.Constant(value_ints=[0, 2]), axis=1)
    count = op.Slice(op.Shape(selected), op.Constant(value_ints=[0]), op.Constant(value_ints=[1]))
    ones = op.Expand(op.Constant(value_floats=[1.0]), count)
    nothing = op.Mul(scores, op.Constant(value_float=0.0))
    return op.Greater(op.ScatterND(nothing, places, ones), op.Constant(value_float=0.5))
