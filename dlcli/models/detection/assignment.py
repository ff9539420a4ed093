"""Task-aligned assignment: which points learn which object, and how good a detection each of them should claim to be.

Source: TOOD (Feng et al. 2021, arXiv:2108.07755), with exponents 1 and 6. Differences: points near an object's centre
are candidates as well, since a small object may hold none; and a fresh network, whose overlaps say nothing yet, starts
with the points nearest to the centres.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision import ops

from dlcli.models.detection.detector import Target
from dlcli.models.detection.points import Points

NUM_POINTS = 10
"""At most this many points for each object."""

IOU_EXPONENT = 6

NEAR = 0.75
"""In strides: points so near to an object's centre are candidates. The nearest one is at most 0.71 away on each map."""

TIE_BREAK = 1e-9
"""Weight of nearness in the alignment, under that of an IoU of 0.03 with a score of 0.02."""


class Assignment(NamedTuple):
    """What each of A points should learn.

    Attributes:
        objects: (A,) int64 index of the point's object, -1 for background.
        quality: (A,) float32 in [0, 1], the score that the point should give to the object's class; 0 for background.
        weights: (A,) float32, 0 for background within an ignored region, else 1.
    """

    objects: Tensor
    quality: Tensor
    weights: Tensor


@torch.no_grad()
def assign(points: Points, scores: Tensor, boxes: Tensor, target: Target) -> Assignment:
    """Return the assignment of one image's points.

    Args:
        points: A of them.
        scores: (A, C) float32 in [0, 1].
        boxes: (A, 4) float32 xyxy in pixels, what each point predicts.
        target: what the image shows.
    """
    weights = 1 - _inside(points.centres, target.ignored).any(1).to(scores.dtype)
    if len(target.boxes) == 0:
        background = torch.full_like(weights, -1, dtype=torch.int64)
        return Assignment(background, torch.zeros_like(weights), weights)
    distances = _distances(points, target.boxes)
    candidates = _inside(points.centres, target.boxes) | (distances <= NEAR)
    overlaps = ops.box_iou(boxes, target.boxes)
    alignment = scores[:, target.labels] * overlaps**IOU_EXPONENT + TIE_BREAK * torch.exp(-distances)
    alignment = alignment * candidates
    best, places = alignment.topk(min(NUM_POINTS, len(alignment)), dim=0)
    chosen = torch.zeros_like(candidates).scatter_(0, places, best > 0)
    # A point of two objects learns the one that it covers better.
    claimed = torch.where(chosen, overlaps, -1.0)
    objects = claimed.argmax(1)
    is_assigned = chosen.any(1)
    chosen = chosen & (torch.arange(len(target.boxes), device=boxes.device) == objects[:, None])
    alignment, overlaps = alignment * chosen, overlaps * chosen
    normalised = alignment / alignment.amax(0).clamp_min(torch.finfo(alignment.dtype).tiny) * overlaps.amax(0)
    return Assignment(
        torch.where(is_assigned, objects, -1),
        normalised.amax(1),
        torch.where(is_assigned, 1.0, weights),
    )


def _inside(centres: Tensor, boxes: Tensor) -> Tensor:
    """Return whether each point lies strictly within each box, (A, K)."""
    before = centres[:, None] - boxes[:, :2]
    behind = boxes[:, 2:] - centres[:, None]
    return (torch.cat([before, behind], dim=-1) > 0).all(-1)


def _distances(points: Points, boxes: Tensor) -> Tensor:
    """Return the distance from each point to each box's centre, in the point's strides, (A, K)."""
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    return torch.cdist(points.centres, middles, compute_mode="donot_use_mm_for_euclid_dist") / points.strides[:, None]
