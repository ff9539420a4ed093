"""SSD: classes and offsets for default boxes on maps of several strides, on any backbone.

Differences from the paper: any backbone, whose norms make the scaling of the first map needless; every further map is
half as large as the one before it (the paper's last two lose their border instead), so that canvases of any size and
shape are taken. The plain head has norms in its further layers. Pelee's head adds a residual block before the
predictions of each map; its default boxes have two scales on the first of five maps.

Source: Liu et al. 2016, arXiv:1512.02325; Wang et al. 2018, Pelee, arXiv:1804.06882, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.ops import clip_boxes_to_image

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.models.detection.anchored import CLASS_LOSSES, box_term, class_term, match_batch
from dlcli.models.detection.anchors import (
    Anchors,
    Shape,
    decode,
    default_shapes,
    fitted_shapes,
    flatten_map,
    grid_anchors,
)
from dlcli.models.detection.box_losses import box_loss as box_loss_named
from dlcli.models.detection.detector import Detections, Limits, Target
from dlcli.models.detection.explaining import Explanation, explain_anchors
from dlcli.models.detection.suppression import select
from dlcli.models.images.backbone import build_backbone
from dlcli.models.images.blocks import conv_norm_act, initialise

MATCHING_IOU = 0.5
EXTRA_WIDTH = 256

PRIOR = 0.01
"""Probability that a fresh head gives every class of every anchor, for the focal loss (arXiv:1708.02002, 3.3)."""

STRIDES = {"plain": (8, 16, 32), "pelee": (16, 32)}
"""Strides of the backbone's maps that each head takes."""

NUM_EXTRA = 3
"""Further maps, as in the paper's SSD300 after the map of stride 32, and in Pelee."""

PLAIN_RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
PELEE_RATIOS = ((2, 3),) * 6


def ssd_shapes(head: str, image_size: int) -> list[list[Shape]]:
    """Return the default boxes of each map of a head, in pixels, for canvases whose longer side is `image_size`."""
    if head == "plain":
        return default_shapes(6, image_size, PLAIN_RATIOS)
    first, second, *others = default_shapes(6, image_size, PELEE_RATIOS)
    return [first + second, *others]


class Ssd(nn.Module):
    """A single-shot detector.

    Args:
        num_classes: without background.
        backbone: the name of a classifier, see `build_backbone`.
        image_size: longer side of the canvas in pixels, which scales the default boxes.
        head: "plain" (6 maps) or "pelee" (5 maps).
        shapes: (width, height) of the anchors of each map in pixels; None for the default boxes.
        box_sizes: (N, 2) widths and heights of the training boxes in pixels, to which the anchors are fitted; None
            leaves them as they are. The anchors are saved with the weights.
        class_loss: one of `CLASS_LOSSES`.
        box_loss: the name of a loss, see `box_losses.box_loss`.
        pretrained: weights of the backbone, see `build_backbone`.

    Raises:
        UsageError: there is no such backbone, head or loss, the backbone lacks a map, or there are shapes for another
            number of maps.
    """

    shapes: Tensor

    def __init__(
        self,
        *,
        num_classes: int,
        backbone: str = "vgg16",
        image_size: int = 320,
        head: str = "plain",
        shapes: Sequence[Sequence[Shape]] | None = None,
        box_sizes: np.ndarray | None = None,
        class_loss: str = "hard-negatives",
        box_loss: str = "smooth_l1",
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        _check("head", head, STRIDES)
        _check("class-loss", class_loss, CLASS_LOSSES)
        box_loss_named(box_loss)
        self.num_classes, self.class_loss, self.box_loss = num_classes, class_loss, box_loss
        self.backbone = build_backbone(backbone, pretrained=pretrained, strides=STRIDES[head])
        widths = [*self.backbone.out_channels.values(), *[EXTRA_WIDTH] * NUM_EXTRA]
        given = ssd_shapes(head, image_size) if shapes is None else shapes
        if len(given) != len(widths):
            raise UsageError(f"shapes of anchors for {len(given)} maps, where SSD's {head} head has {len(widths)}")
        if box_sizes is not None:
            given = fitted_shapes(box_sizes, given)
        self.per_map = [len(of_map) for of_map in given]
        self.register_buffer("shapes", torch.tensor([shape for of_map in given for shape in of_map]))
        self.extra = nn.ModuleList(_further_map(width) for width in widths[-NUM_EXTRA - 1 : -1])
        self.blocks = nn.ModuleList(ResidualBlock(width) if head == "pelee" else nn.Identity() for width in widths)
        self.num_outputs = num_classes + (class_loss == "hard-negatives")
        bias = -math.log((1 - PRIOR) / PRIOR) if class_loss == "focal" else 0.0
        inputs = [EXTRA_WIDTH] * len(widths) if head == "pelee" else widths
        kernel = 1 if head == "pelee" else 3
        self.classes = _predictions(inputs, self.per_map, self.num_outputs, kernel, bias)
        self.offsets = _predictions(inputs, self.per_map, 4, kernel, 0.0)
        initialise(self.extra)
        initialise(self.blocks)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Anchors]:
        """Return (N, A, outputs) logits, (N, A, 4) offsets and the A anchors for (N, 3, H, W) images.

        There are `num_classes` logits, and one more for the background (the last) unless the loss is focal.
        """
        maps = list(self.backbone(images))
        for layer in self.extra:
            maps.append(layer(maps[-1]))
        features = [block(each) for block, each in zip(self.blocks, maps, strict=True)]
        logits = [
            flatten_map(layer(each), self.num_outputs) for layer, each in zip(self.classes, features, strict=True)
        ]
        offsets = [flatten_map(layer(each), 4) for layer, each in zip(self.offsets, features, strict=True)]
        cells = [(each.shape[2], each.shape[3]) for each in maps]
        anchors = grid_anchors(cells, (images.shape[2], images.shape[3]), torch.split(self.shapes, self.per_map))
        return torch.cat(logits, dim=1), torch.cat(offsets, dim=1), anchors

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Return the losses of classes and of boxes, each divided by the number of matched anchors."""
        logits, offsets, anchors = self(images)
        matched = match_batch(anchors.boxes, targets, MATCHING_IOU)
        boxes = decode(offsets.float(), anchors.boxes)
        return {
            "class": class_term(logits, matched, self.class_loss),
            "box": box_term(offsets, boxes, anchors.boxes, matched, self.box_loss),
        }

    def explain(self, images: Tensor, targets: Sequence[Target]) -> Explanation:
        """Return which anchors learn which object."""
        _, _, anchors = self(images)
        return explain_anchors(anchors.boxes, anchors.cells, targets, MATCHING_IOU)

    def detect(self, images: Tensor, limits: Limits) -> Detections:
        """Return what is found in each image; boxes end at the canvas."""
        logits, offsets, anchors = self(images)
        boxes = clip_boxes_to_image(decode(offsets.float(), anchors.boxes), (images.shape[2], images.shape[3]))
        logits = logits.float()
        scores = logits.sigmoid() if self.class_loss == "focal" else logits.softmax(dim=2)[..., : self.num_classes]
        return select(boxes, scores, limits)


class ResidualBlock(nn.Module):
    """Pelee's block before the predictions of a map: a bottleneck beside a 1x1 convolution, 256 channels."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        half = EXTRA_WIDTH // 2
        self.bottleneck = nn.Sequential(
            conv_norm_act(in_channels, half, 1),
            conv_norm_act(half, half, 3),
            nn.Conv2d(half, EXTRA_WIDTH, 1, bias=False),
            nn.BatchNorm2d(EXTRA_WIDTH),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(in_channels, EXTRA_WIDTH, 1, bias=False), nn.BatchNorm2d(EXTRA_WIDTH))

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, 256, H, W) features for (N, in_channels, H, W)."""
        return torch.relu(self.bottleneck(features) + self.shortcut(features))


def _further_map(in_channels: int) -> nn.Sequential:
    half = EXTRA_WIDTH // 2
    return nn.Sequential(conv_norm_act(in_channels, half, 1), conv_norm_act(half, EXTRA_WIDTH, 3, stride=2))


def _predictions(widths: Sequence[int], per_map: Sequence[int], size: int, kernel: int, bias: float) -> nn.ModuleList:
    """Return a convolution for each map, with `size` outputs for each anchor and one value as their bias."""
    layers = nn.ModuleList()
    for width, count in zip(widths, per_map, strict=True):
        layer = nn.Conv2d(width, count * size, kernel, padding=kernel // 2)
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.constant_(cast(Tensor, layer.bias), bias)
        layers.append(layer)
    return layers


def _check(what: str, name: str, names: Collection[str]) -> None:
    if name not in names:
        raise UsageError(f"--{what} {name}: ssd has no such value", hint=did_you_mean(name, list(names)))
