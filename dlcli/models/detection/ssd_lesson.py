"""The multi-box detector of the fast.ai course of 2018, lesson 9: anchors on grids of 4, 2 and 1, on any backbone.

Differences from the lesson: boxes are x1 y1 x2 y2 (there y1 x1 y2 x2); the canvas may have any shape, with cells of its
shape; of two objects with one best anchor, the second gets its next best; losses are means over images, not sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import clip_boxes_to_image

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.models.detection.anchored import Matched, is_by_overlap, match_batch, one_hot
from dlcli.models.detection.anchors import (
    LESSON_GRIDS,
    LESSON_RATIOS,
    LESSON_ZOOMS,
    Anchors,
    Shape,
    decode_tanh,
    flatten_map,
    grid_anchors,
    lesson_shapes,
)
from dlcli.models.detection.box_losses import binary_focal
from dlcli.models.detection.box_losses import box_loss as box_loss_named
from dlcli.models.detection.detector import Detections, Limits, Target
from dlcli.models.detection.explaining import Explanation, explain_anchors
from dlcli.models.detection.suppression import select
from dlcli.models.images.backbone import build_backbone

STRIDE = 32
WIDTH = 256
MATCHING_IOU = 0.4
HEAD_DROPOUT = 0.25
LAYER_DROPOUT = 0.1
CLASS_BIAS = -3.0
CLASS_LOSSES = ("bce", "focal")


class SsdLesson(nn.Module):
    """A detector with 16 to 189 anchors at 224 x 224 pixels.

    Args:
        num_classes: without background.
        backbone: the name of a classifier, see `build_backbone`.
        num_maps: 1 for the first grid (4 x 4 at 224 pixels), 3 for all (4, 2 and 1).
        zooms, ratios: the shapes of anchors on each cell; (1,) and ((1, 1),) for the lesson's first 16 anchors.
        class_loss: "bce" or "focal"; the background has no column of its own in either.
        box_loss: the name of a loss, see `box_losses.box_loss`; "l1" in the lesson.
        pretrained: weights of the backbone, see `build_backbone`.

    Raises:
        UsageError: there is no such backbone or loss, or the backbone has no map of stride 32.
    """

    shapes: Tensor

    def __init__(
        self,
        *,
        num_classes: int,
        backbone: str = "resnet34",
        num_maps: int = len(LESSON_GRIDS),
        zooms: Sequence[float] = LESSON_ZOOMS,
        ratios: Sequence[Shape] = LESSON_RATIOS,
        class_loss: str = "bce",
        box_loss: str = "l1",
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        if class_loss not in CLASS_LOSSES:
            hint = did_you_mean(class_loss, CLASS_LOSSES)
            raise UsageError(f"--class-loss {class_loss}: ssd-lesson has no such value", hint=hint)
        box_loss_named(box_loss)
        self.num_classes, self.class_loss, self.box_loss = num_classes, class_loss, box_loss
        self.backbone = build_backbone(backbone, pretrained=pretrained, strides=(STRIDE,))
        self.register_buffer("shapes", torch.tensor(lesson_shapes((1.0, 1.0), zooms, ratios)))
        per_cell = len(self.shapes)
        self.first = nn.Sequential(
            nn.ReLU(), nn.Dropout(HEAD_DROPOUT), _layer(self.backbone.out_channels[STRIDE], stride=1)
        )
        self.halving = nn.ModuleList(_layer(WIDTH, stride=2) for _ in range(num_maps))
        self.classes = nn.ModuleList(
            nn.Conv2d(WIDTH, per_cell * (num_classes + 1), 3, padding=1) for _ in range(num_maps)
        )
        self.offsets = nn.ModuleList(nn.Conv2d(WIDTH, per_cell * 4, 3, padding=1) for _ in range(num_maps))
        for layer in self.classes:
            nn.init.constant_(cast(Tensor, layer.bias), CLASS_BIAS)
        for layer in self.offsets:  # near 0, a box is its anchor; at 3, tanh's gradient is gone
            nn.init.normal_(cast(Tensor, layer.weight), std=0.01)
            nn.init.zeros_(cast(Tensor, layer.bias))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Anchors]:
        """Return (N, A, num_classes + 1) logits, (N, A, 4) offsets and the A anchors for (N, 3, H, W) images.

        The last logit stands for the background and has no part in losses and scores.
        """
        (features,) = self.backbone(images)
        features = self.first(features)
        maps = []
        for layer in self.halving:
            features = layer(features)
            maps.append(features)
        size = self.num_classes + 1
        logits = [flatten_map(layer(each), size) for layer, each in zip(self.classes, maps, strict=True)]
        offsets = [flatten_map(layer(each), 4) for layer, each in zip(self.offsets, maps, strict=True)]
        canvas = (images.shape[2], images.shape[3])
        cells = [(each.shape[2], each.shape[3]) for each in maps]
        wide, high = self.shapes.unbind(dim=1)
        shapes = [
            torch.stack([wide * (canvas[1] / columns), high * (canvas[0] / rows)], dim=1) for rows, columns in cells
        ]
        return torch.cat(logits, dim=1), torch.cat(offsets, dim=1), grid_anchors(cells, canvas, shapes)

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Return the mean over images of the classes' loss, a sum over anchors, and of the mean loss of their boxes."""
        logits, offsets, anchors = self(images)
        matched = match_batch(anchors.boxes, targets, MATCHING_IOU)
        boxes = decode_tanh(offsets.float(), anchors)
        return {
            "class": self._class_term(logits[..., : self.num_classes].float(), matched),
            "box": self._box_term(boxes, matched, max(images.shape[2:])),
        }

    def _class_term(self, logits: Tensor, matched: Matched) -> Tensor:
        wanted = one_hot(matched, self.num_classes)
        if self.class_loss == "focal":
            losses = binary_focal(logits, wanted)
        else:
            losses = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        learning = matched.positives | matched.negatives
        return (losses * learning[..., None]).sum() / (self.num_classes * len(logits))

    def _box_term(self, boxes: Tensor, matched: Matched, side: int) -> Tensor:
        """Return the loss of boxes in parts of the canvas, first the mean of each image, then of all images."""
        positives = matched.positives
        losses = boxes.new_zeros(positives.shape)
        found = box_loss_named(self.box_loss)(boxes[positives] / side, matched.boxes[positives] / side)
        losses[positives] = found if is_by_overlap(self.box_loss) else found / 4  # a mean of four differences
        return (losses.sum(dim=1) / positives.sum(dim=1).clamp(min=1)).mean()

    def explain(self, images: Tensor, targets: Sequence[Target]) -> Explanation:
        """Return which anchors learn which object."""
        _, _, anchors = self(images)
        return explain_anchors(anchors.boxes, anchors.cells, targets, MATCHING_IOU)

    def detect(self, images: Tensor, limits: Limits) -> Detections:
        """Return what is found in each image; boxes end at the canvas."""
        logits, offsets, anchors = self(images)
        boxes = clip_boxes_to_image(decode_tanh(offsets.float(), anchors), (images.shape[2], images.shape[3]))
        return select(boxes, logits[..., : self.num_classes].float().sigmoid(), limits)


def _layer(in_channels: int, *, stride: int) -> nn.Sequential:
    """Return the lesson's StdConv: its norm follows the ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, WIDTH, 3, stride, padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(WIDTH),
        nn.Dropout(LAYER_DROPOUT),
    )
