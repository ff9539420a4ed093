"""The losses of a DETR: predictions are assigned to objects one to one, and each learns its object or background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import box_convert, generalized_box_iou, generalized_box_iou_loss

from dlcli.models.detection.box_losses import binary_focal
from dlcli.models.detection.detector import Target
from dlcli.models.detection.matching import covered, hungarian

CLASS_WEIGHT, L1_WEIGHT, OVERLAP_WEIGHT = 2.0, 5.0, 2.0
"""Weights in the cost of an assignment and in the loss, as in Deformable DETR (arXiv:2010.04159)."""

ALPHA, GAMMA = 0.25, 2.0

Pairs = tuple[Tensor, Tensor]
"""Indices of predictions and of their objects, of equal length."""


class Goal(NamedTuple):
    """What one image shows, in parts of the canvas.

    Attributes:
        boxes: (K, 4) xyxy in [0, 1].
        labels: (K,) int64.
        ignored: (I, 4) xyxy in [0, 1].
    """

    boxes: Tensor
    labels: Tensor
    ignored: Tensor


def goals_of(targets: Sequence[Target], canvas: tuple[int, int]) -> list[Goal]:
    """Return the targets in parts of a canvas of this height and width."""
    goals = []
    for target in targets:
        sides = target.boxes.new_tensor([canvas[1], canvas[0], canvas[1], canvas[0]])
        goals.append(Goal(target.boxes / sides, target.labels, target.ignored / sides))
    return goals


@torch.no_grad()
def assign(logits: Tensor, boxes: Tensor, goals: Sequence[Goal], repeats: int = 1) -> list[Pairs]:
    """Return the cheapest assignment for each image, each object to `repeats` predictions.

    Args:
        logits: (N, Q, C).
        boxes: (N, Q, 4) xyxy in [0, 1].
        goals: of each image.
        repeats: 1 for one to one.

    Source: Carion et al. 2020, arXiv:2005.12872, 3.1, with the focal class cost of Deformable DETR.
    """
    positive = binary_focal(logits, torch.ones_like(logits), alpha=ALPHA, gamma=GAMMA)
    negative = binary_focal(logits, torch.zeros_like(logits), alpha=ALPHA, gamma=GAMMA)
    pairs = []
    for index, goal in enumerate(goals):
        costs = (
            CLASS_WEIGHT * (positive - negative)[index][:, goal.labels]
            + L1_WEIGHT * torch.cdist(boxes[index], goal.boxes, p=1)
            - OVERLAP_WEIGHT * generalized_box_iou(boxes[index], goal.boxes)
        )
        pairs.append(hungarian(costs, repeats))
    return pairs


def pair_losses(
    logits: Tensor, boxes: Tensor, goals: Sequence[Goal], pairs: Sequence[Pairs], *, has_background: bool = True
) -> dict[str, Tensor]:
    """Return the weighted losses of classes, of positions and of overlaps, divided by the number of pairs.

    A prediction without an object learns background, if there is one, unless it lies in an ignored region.

    Args:
        logits: (N, Q, C) float32.
        boxes: (N, Q, 4) xyxy in [0, 1], float32.
        goals: of each image.
        pairs: of each image.
        has_background: whether predictions without an object learn at all.
    """
    wanted, learning = torch.zeros_like(logits), torch.full_like(logits, float(has_background))
    for index, (goal, (predictions, objects)) in enumerate(zip(goals, pairs, strict=True)):
        learning[index, covered(boxes[index].detach(), goal.ignored)] = 0.0
        learning[index, predictions] = 1.0
        wanted[index, predictions, goal.labels[objects]] = 1.0
    found = torch.cat([boxes[index, predictions] for index, (predictions, _) in enumerate(pairs)])
    objects_of = torch.cat([goal.boxes[objects] for goal, (_, objects) in zip(goals, pairs, strict=True)])
    count = max(len(found), 1)
    classes = binary_focal(logits, wanted, alpha=ALPHA, gamma=GAMMA) * learning
    found_centred, wanted_centred = (box_convert(each, "xyxy", "cxcywh") for each in (found, objects_of))
    return {
        "class": CLASS_WEIGHT * classes.sum() / count,
        "box": L1_WEIGHT * F.l1_loss(found_centred, wanted_centred, reduction="sum") / count,
        "overlap": OVERLAP_WEIGHT * generalized_box_iou_loss(found, objects_of, reduction="sum") / count,
    }


def add_losses(total: dict[str, Tensor], more: dict[str, Tensor], weight: float = 1.0) -> None:
    """Add weighted losses to those of the same names, in place."""
    for name, loss in more.items():
        total[name] = total[name] + weight * loss if name in total else weight * loss


class Noise(NamedTuple):
    """Objects with noise, whose true boxes and labels a decoder learns to restore; N images, D queries.

    Attributes:
        boxes: (N, D, 4) cxcywh in [0, 1].
        labels: (N, D) int64.
        pairs: of each image: which queries are which objects; the others are padding.
        copies: D is `copies` times the most objects of an image; copies do not attend to each other.
    """

    boxes: Tensor
    labels: Tensor
    pairs: list[Pairs]
    copies: int


def add_noise(goals: Sequence[Goal], num_classes: int, copies: int) -> Noise:
    """Return noisy copies of the objects: centres within their boxes, sides times 0.6 to 1.4, a fifth of labels drawn.

    Source: Li et al. 2022, DN-DETR, arXiv:2203.01305.
    """
    most = max((len(goal.boxes) for goal in goals), default=0)
    device = goals[0].boxes.device
    boxes = torch.full((len(goals), copies, most, 4), 0.5, device=device)
    labels = torch.zeros(len(goals), copies, most, dtype=torch.int64, device=device)
    pairs = []
    for index, goal in enumerate(goals):
        count = len(goal.boxes)
        boxes[index, :, :count] = box_convert(goal.boxes, "xyxy", "cxcywh")
        labels[index, :, :count] = goal.labels
        places = torch.arange(copies, device=device)[:, None] * most + torch.arange(count, device=device)
        pairs.append((places.flatten(), torch.arange(count, device=device).repeat(copies)))
    shift = (torch.rand_like(boxes[..., :2]) - 0.5) * 0.8 * boxes[..., 2:]
    scale = 1 + (torch.rand_like(boxes[..., 2:]) - 0.5) * 0.8
    noisy = torch.cat([boxes[..., :2] + shift, boxes[..., 2:] * scale], dim=-1).clamp(0.0, 1.0)
    drawn = torch.randint_like(labels, num_classes)
    labels = torch.where(torch.rand(labels.shape, device=device) < 0.2, drawn, labels)
    return Noise(noisy.flatten(1, 2), labels.flatten(1), pairs, copies)
