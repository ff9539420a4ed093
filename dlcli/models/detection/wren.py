"""Wren: our one-stage detector without anchors, small enough to be trained on two CPU cores."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.models.detection.anchored import is_by_overlap
from dlcli.models.detection.assignment import Assignment, assign
from dlcli.models.detection.body import WrenBody
from dlcli.models.detection.box_losses import box_loss as box_loss_named
from dlcli.models.detection.detector import Detections, Limits, Target
from dlcli.models.detection.explaining import Explanation, explain_points
from dlcli.models.detection.frozen import freeze_for_speed
from dlcli.models.detection.head import PointHead
from dlcli.models.detection.neck import PathAggregation
from dlcli.models.detection.points import Points, boxes_around, points_of
from dlcli.models.detection.suppression import select
from dlcli.models.images.backbone import Backbone, build_backbone
from dlcli.models.images.stem import SMALL_IMAGE

OWN_BODY = "wren"
"""Name of the backbone that is `WrenBody`."""

STRIDES = (8, 16, 32)

BOX_WEIGHT = 2.0


class Wren(nn.Module):
    """A backbone, a path aggregation network, two towers shared by all maps; task-aligned assignment.

    With EfficientNet-Lite0 and 3 classes it has 3.3 M parameters. Images are (N, 3, H, W) float, normalised as the
    backbone expects, H and W multiples of 32. No objectness and no distribution of distances.

    Args:
        num_classes: C.
        backbone: with maps of strides that double.
        width: channels of the neck and the head.
        box_loss_name: see `box_losses.BOX_LOSSES`; one by overlap.
    """

    def __init__(
        self, num_classes: int, backbone: Backbone | WrenBody, width: int = 64, box_loss_name: str = "giou"
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.backbone = backbone
        self.neck = PathAggregation(backbone.out_channels, width)
        self.head = PointHead(num_classes, width, len(backbone.strides))
        self._box_loss = box_loss_named(box_loss_name)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Points]:
        """Return class logits (N, A, C), boxes xyxy in pixels (N, A, 4), both fp32, and the A points."""
        maps = self.neck(self.backbone(images))
        logits, distances = self.head(maps)
        points = points_of(maps, self.backbone.strides)
        return logits, boxes_around(points, distances), points

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Return "class" and "box": binary cross entropy and the weighted box loss, per sum of target scores.

        An image's share grows with how many points are assigned in it, and how well they fit.
        """
        logits, boxes, points = self(images)
        with torch.autocast(images.device.type, enabled=False):
            return self._losses(logits, boxes, points, targets)

    def _losses(self, logits: Tensor, boxes: Tensor, points: Points, targets: Sequence[Target]) -> dict[str, Tensor]:
        found = _assigned(logits, boxes, points, targets)
        wanted = torch.stack(
            [_wanted(each, target, self.num_classes) for each, target in zip(found, targets, strict=True)]
        )
        weights = torch.stack([each.weights for each in found])
        quality = torch.stack([each.quality for each in found])
        total = quality.sum().clamp_min(1.0)
        entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * weights[..., None]
        is_assigned = torch.stack([each.objects for each in found]) >= 0
        matched = torch.cat(
            [target.boxes[each.objects[each.objects >= 0]] for each, target in zip(found, targets, strict=True)]
        )
        distance = self._box_loss(boxes[is_assigned], matched)
        return {
            "class": entropy.sum() / total,
            "box": BOX_WEIGHT * (distance * quality[is_assigned]).sum() / total,
        }

    def explain(self, images: Tensor, targets: Sequence[Target]) -> Explanation:
        """Return which points learn which object."""
        logits, boxes, points = self(images)
        found = _assigned(logits, boxes, points, targets)
        objects, weights = [each.objects for each in found], [each.weights for each in found]
        return explain_points(points.centres, points.strides, objects, weights)

    def detect(self, images: Tensor, limits: Limits) -> Detections:
        """Return what is found in each image, boxes cut at the canvas's edges."""
        logits, boxes, _ = self(images)
        height, width = images.shape[2:]
        x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
        inside = torch.stack([x, y], dim=-1).flatten(2)  # x1, y1, x2, y2
        return select(inside, logits.sigmoid(), limits)


def build_wren(
    num_classes: int,
    backbone: str = "efficientnet_lite0",
    pretrained: str | None = None,
    width: int = 64,
    image_size: int = 320,
    is_frozen: bool = False,
    box_loss: str = "giou",
) -> Wren:
    """Return Wren on a backbone by name.

    Args:
        num_classes: C.
        backbone: "wren" for its own body, which is fast to train from scratch, or a network with maps by stride.
        pretrained: weights of the backbone, see `dlcli.models.images.pretrained.load_pretrained`; None for fresh ones.
        width: channels of the neck and the head.
        image_size: longer side of the images in pixels.
        is_frozen: call `freeze_for_speed` on the backbone. It renames parameters, so a run is opened as it was trained.
        box_loss: see `box_losses.BOX_LOSSES`; one by overlap.

    Raises:
        UsageError: there is no such backbone, it has no maps of strides 8, 16 and 32, or no weights; the loss is not by
            overlap; or Wren's own body is to be frozen.
        DataError: the published weights are not there.
        RunError: the file of weights is missing, damaged, refused or does not fit.
    """
    if not is_by_overlap(box_loss):
        raise UsageError(f"--box-loss {box_loss}: wren learns boxes by their overlap", hint="use giou, diou or ciou")
    if backbone == OWN_BODY:
        if pretrained is not None:
            raise UsageError("no weights of the backbone wren are published", hint="leave out --pretrained")
        if is_frozen:
            raise UsageError("--freeze-early: the backbone wren trains from scratch", hint="leave it out")
        return Wren(num_classes, WrenBody(), width, box_loss)
    # Networks for small images halve them less often: they have no stride 32.
    body = build_backbone(backbone, image_size=max(image_size, SMALL_IMAGE + 1), pretrained=pretrained, strides=STRIDES)
    if is_frozen:
        freeze_for_speed(body)
    return Wren(num_classes, body, width, box_loss)


def _assigned(logits: Tensor, boxes: Tensor, points: Points, targets: Sequence[Target]) -> list[Assignment]:
    """Return the assignment of each image's points."""
    outputs = zip(logits.detach().sigmoid(), boxes.detach(), strict=True)
    return [assign(points, *each, target) for each, target in zip(outputs, targets, strict=True)]


def _wanted(assignment: Assignment, target: Target, num_classes: int) -> Tensor:
    """Return the scores that the points should have, (A, C)."""
    is_assigned = assignment.objects >= 0
    wanted = assignment.quality.new_zeros(len(assignment.objects), num_classes)
    labels = target.labels[assignment.objects[is_assigned]]
    wanted[is_assigned.nonzero()[:, 0], labels] = assignment.quality[is_assigned]
    return wanted
