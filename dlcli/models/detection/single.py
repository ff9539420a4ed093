"""One box and one class for an image: the net of the fast.ai course of 2018, lesson 8, on any backbone.

Differences from the lesson: a box is x1 y1 x2 y2 (there y1 x1 y2 x2), the canvas may be any square, images without
objects are allowed, and the positions are linear outputs, cut at the canvas's edges in answers, that begin with a box
in the middle. The lesson's sigmoid has no gradient at its ends: of eight images to be learned by heart, two boxes
stayed there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.models.detection.detector import Detections, Limits, Target
from dlcli.models.images.backbone import build_backbone

STRIDE = 32
WIDTH = 256
DROPOUT = 0.5

POSITION_SCALE = 0.25
"""Of the outputs beside the canvas: the slope of the lesson's sigmoid in the middle."""

FIRST_BOX = (-1.0, -1.0, 1.0, 1.0)
"""The outputs that a fresh network begins near: the middle half of each side. The lesson's begins with a point."""

CLASS_FACTOR = 20.0
"""Brings a cross-entropy near 1 to the scale of a box loss near 20 pixels."""


class SingleObject(nn.Module):
    """Finds the largest object of each image: the map of a backbone, flattened, and two linear layers.

    The network takes images of one square size only, since the linear layers see every position of the map.

    Attributes:
        fixed_size: side of the images in pixels.
        finds_largest: always.

    Args:
        num_classes: without background.
        backbone: the name of a classifier, see `build_backbone`.
        image_size: side of the images in pixels, a multiple of 32.
        class_factor: weight of the cross-entropy beside the box loss in pixels.
        pretrained: weights of the backbone, see `build_backbone`.

    Raises:
        UsageError: there is no such backbone, it has no map of stride 32, or the size is no multiple of 32.
    """

    finds_largest = True

    def __init__(
        self,
        *,
        num_classes: int,
        backbone: str = "resnet34",
        image_size: int = 224,
        class_factor: float = CLASS_FACTOR,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        if image_size % STRIDE:
            raise UsageError(
                f"single needs an image size that is a multiple of {STRIDE}, not {image_size}",
                hint=f"--image-size {max(1, round(image_size / STRIDE)) * STRIDE}",
            )
        self.fixed_size = image_size
        self.num_classes = num_classes
        self.class_factor = class_factor
        self.backbone = build_backbone(backbone, pretrained=pretrained, strides=(STRIDE,))
        cells = (image_size // STRIDE) ** 2
        self.hidden = nn.Sequential(
            nn.Flatten(),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(self.backbone.out_channels[STRIDE] * cells, WIDTH),
            nn.ReLU(),
        )
        self.norm = nn.BatchNorm1d(WIDTH)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(WIDTH, 4 + num_classes)
        with torch.no_grad():
            self.head.bias[:4].copy_(torch.tensor(FIRST_BOX))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, 4) xyxy boxes in pixels, not cut, and (N, num_classes) logits for (N, 3, side, side) images.

        Raises:
            ValueError: the images have another size.
        """
        if tuple(images.shape[-2:]) != (self.fixed_size, self.fixed_size):
            height, width = images.shape[-2:]
            raise ValueError(f"images of {self.fixed_size} x {self.fixed_size} pixels expected, not {height} x {width}")
        (features,) = self.backbone(images)
        outputs = self.head(self.dropout(self._normalise(self.hidden(features))))
        return self.fixed_size * (0.5 + POSITION_SCALE * outputs[:, :4]), outputs[:, 4:]

    def _normalise(self, hidden: Tensor) -> Tensor:
        norm = self.norm
        if isinstance(norm, nn.BatchNorm1d) and norm.training and len(hidden) == 1:  # one image has no variance
            return F.batch_norm(hidden, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
        normalised: Tensor = norm(hidden)
        return normalised

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Return the mean L1 of the four positions in pixels, and the weighted cross-entropy, of the largest objects.

        Images without objects are left out; a batch of nothing else has losses of 0.
        """
        boxes, logits = self(images)
        found = [index for index, target in enumerate(targets) if len(target.boxes)]
        if not found:
            return {"box": boxes.sum() * 0.0, "class": logits.sum() * 0.0}
        largest = [_largest(targets[index]) for index in found]
        wanted_boxes = torch.stack([box for box, _ in largest])
        wanted_labels = torch.stack([label for _, label in largest])
        return {
            "box": F.l1_loss(boxes[found].float(), wanted_boxes),
            "class": self.class_factor * F.cross_entropy(logits[found].float(), wanted_labels),
        }

    def detect(self, images: Tensor, limits: Limits) -> Detections:
        """Return one detection for each image, or none where its class has less than `limits.score` probability."""
        boxes, logits = self(images)
        boxes = boxes.clamp(0, self.fixed_size)
        scores, labels = logits.softmax(dim=1).max(dim=1, keepdim=True)
        low = torch.minimum(boxes[:, :2], boxes[:, 2:])
        high = torch.maximum(boxes[:, :2], boxes[:, 2:])
        found = scores >= limits.score
        return Detections(
            boxes=(torch.cat([low, high], dim=1) * found)[:, None],
            scores=scores * found,
            labels=labels * found,
            counts=found.sum(dim=1),
        )


def _largest(target: Target) -> tuple[Tensor, Tensor]:
    """Return the (4,) box and the label of the object with the largest box."""
    sizes = target.boxes[:, 2:] - target.boxes[:, :2]
    index = sizes.prod(dim=1).argmax()
    return target.boxes[index], target.labels[index]
