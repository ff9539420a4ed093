"""Which prediction learns which object: by overlap with anchors, or as the cheapest one-to-one assignment."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import box_iou

BACKGROUND = -1
"""In place of an object's index: the anchor learns that there is none."""

IGNORED = -2
"""In place of an object's index: the anchor learns nothing."""

MAX_IGNORED = 0.5
"""A box learns nothing as background if more than this part of it lies in an ignored region."""


def match_anchors(anchors: Tensor, boxes: Tensor, ignored: Tensor, min_iou: float) -> Tensor:
    """Return each anchor's object: the one it overlaps most if by more than `min_iou`, and each object's best anchor.

    Best anchors are given away by falling overlap, so two objects never share one as long as there are enough anchors.

    Args:
        anchors: (A, 4) xyxy.
        boxes: (K, 4) xyxy of the objects.
        ignored: (I, 4) xyxy of regions in which nothing is background.
        min_iou: the overlap from which an anchor is positive.

    Returns:
        (A,) int64 indices of objects, `BACKGROUND` or `IGNORED`.

    Source: Liu et al. 2016, arXiv:1512.02325, section 2.2; bipartite matching as in its official code.
    """
    background = torch.full((len(anchors),), BACKGROUND, device=anchors.device)
    matches = torch.where(covered(anchors, ignored), IGNORED, background)
    if len(boxes) == 0:
        return matches
    overlaps = box_iou(anchors, boxes)
    best, objects = overlaps.max(dim=1)
    matches = torch.where(best > min_iou, objects, matches)
    free = overlaps.clone()
    for _ in range(min(free.shape)):
        anchor, found = free.argmax() // free.shape[1], free.argmax() % free.shape[1]
        matches[anchor] = found
        free[anchor, :] = -1.0
        free[:, found] = -1.0
    return matches


def covered(boxes: Tensor, regions: Tensor) -> Tensor:
    """Return which of (A, 4) boxes lie by more than `MAX_IGNORED` of their area in one of (I, 4) regions, (A,) bool."""
    if len(regions) == 0:
        return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    low = torch.maximum(boxes[:, None, :2], regions[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    areas = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=-1)
    return (shared > MAX_IGNORED * areas[:, None]).any(dim=1)


def hardest_negatives(losses: Tensor, positives: Tensor, negatives: Tensor, ratio: int) -> Tensor:
    """Return the negatives of each image with the highest loss, `ratio` for each positive, (N, A) bool.

    An image without positives counts as one with a single positive, so that it, too, teaches what background is; in
    the paper it teaches nothing.

    Args:
        losses: (N, A) of taking each anchor for background.
        positives: (N, A) bool.
        negatives: (N, A) bool of those that may be chosen.
        ratio: the paper has 3.
    """
    wanted = positives.sum(dim=1, keepdim=True).clamp(min=1) * ratio
    ranks = losses.detach().masked_fill(~negatives, -torch.inf).argsort(dim=1, descending=True).argsort(dim=1)
    return (ranks < wanted) & negatives


def hungarian(costs: Tensor, repeats: int = 1) -> tuple[Tensor, Tensor]:
    """Return the assignment of the lowest total cost: predictions and their objects, int64, of equal length.

    Args:
        costs: (Q, K) cost of predicting each object by each prediction.
        repeats: to how many predictions each object is assigned; 1 in the paper. With too few predictions, some
            objects get fewer.

    Source: Carion et al. 2020, DETR, arXiv:2005.12872; repeated as in Jia et al. 2023, H-DETR, arXiv:2207.13080.
    """
    from scipy.optimize import linear_sum_assignment

    # A network that diverges must reach the loop's check of losses, not an error of scipy.
    finite = torch.nan_to_num(costs.detach().float(), nan=1e6, posinf=1e6, neginf=-1e6).cpu()
    predictions, objects = linear_sum_assignment(finite.repeat(1, repeats).numpy())
    pairs = torch.as_tensor(predictions), torch.as_tensor(objects) % max(costs.shape[1], 1)
    return pairs[0].to(costs.device), pairs[1].to(costs.device)
