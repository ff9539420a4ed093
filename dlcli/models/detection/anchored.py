"""What networks with anchors share: objects matched to anchors, and the losses over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcli.models.detection.anchors import encode
from dlcli.models.detection.box_losses import binary_focal, box_loss
from dlcli.models.detection.detector import Target
from dlcli.models.detection.matching import BACKGROUND, hardest_negatives, match_anchors

HARD_NEGATIVES = 3
"""Negatives for each positive, as in SSD."""

CLASS_LOSSES = ("hard-negatives", "focal")
"""Cross-entropy with a background class over the positives and the hardest negatives (SSD), or the focal loss over all
anchors (Lin et al. 2017, arXiv:1708.02002)."""


class Matched(NamedTuple):
    """What each of A anchors learns, for N images.

    Attributes:
        positives: (N, A) bool, whether it learns an object.
        negatives: (N, A) bool, whether it learns that there is none; neither holds in ignored regions.
        boxes: (N, A, 4) float32 xyxy of its object; zeros where there is none.
        labels: (N, A) int64 class of its object; 0 where there is none.
    """

    positives: Tensor
    negatives: Tensor
    boxes: Tensor
    labels: Tensor


@torch.no_grad()
def match_batch(anchors: Tensor, targets: Sequence[Target], min_iou: float) -> Matched:
    """Return what (A, 4) anchors learn, as `match_anchors` has it."""
    matches = torch.stack([match_anchors(anchors, each.boxes, each.ignored, min_iou) for each in targets])
    boxes = torch.zeros(*matches.shape, 4, device=anchors.device)
    labels = torch.zeros_like(matches)
    positives = matches >= 0
    for index, target in enumerate(targets):
        own = positives[index]
        boxes[index, own] = target.boxes[matches[index, own]]
        labels[index, own] = target.labels[matches[index, own]]
    return Matched(positives, matches == BACKGROUND, boxes, labels)


def class_term(logits: Tensor, matched: Matched, name: str) -> Tensor:
    """Return the loss of the classes, summed over anchors and divided by the number of positives.

    Args:
        logits: (N, A, C + 1), the last of which is background, for "hard-negatives"; (N, A, C) for "focal".
        matched: what the anchors learn.
        name: one of `CLASS_LOSSES`.
    """
    positives, negatives = matched.positives, matched.negatives
    logits = logits.float()
    if name == "focal":
        wanted = one_hot(matched, logits.shape[2])
        losses = binary_focal(logits, wanted).sum(dim=2) * (positives | negatives)
        return losses.sum() / positives.sum().clamp(min=1)
    background = logits.shape[2] - 1
    wanted_labels = torch.where(positives, matched.labels, background)
    losses = F.cross_entropy(logits.transpose(1, 2), wanted_labels, reduction="none")
    learning = positives | hardest_negatives(losses, positives, negatives, HARD_NEGATIVES)
    return (losses * learning).sum() / positives.sum().clamp(min=1)


def one_hot(matched: Matched, num_classes: int) -> Tensor:
    """Return (N, A, C) float32: 1 for the class of each positive anchor."""
    return F.one_hot(matched.labels, num_classes).float() * matched.positives[..., None]


def box_term(offsets: Tensor, boxes: Tensor, anchors: Tensor, matched: Matched, name: str) -> Tensor:
    """Return the mean loss of the positives' boxes: of their offsets, or of the overlaps of their boxes.

    Args:
        offsets: (N, A, 4) predicted, as `encode` has them.
        boxes: (N, A, 4) xyxy, decoded.
        anchors: (A, 4) xyxy.
        matched: what the anchors learn.
        name: see `box_loss`.
    """
    positives = matched.positives
    wanted = matched.boxes[positives]
    if is_by_overlap(name):
        losses = box_loss(name)(boxes[positives].float(), wanted)
    else:
        own = anchors.expand_as(matched.boxes)[positives]
        losses = box_loss(name)(offsets[positives].float(), encode(wanted, own))
    return losses.sum() / positives.sum().clamp(min=1)


def is_by_overlap(name: str) -> bool:
    """Return whether a loss compares boxes by their overlap, not by differences of their positions."""
    return name.endswith("iou")
