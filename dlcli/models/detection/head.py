"""Two dense towers, for classes and boxes, shared by all maps but for their batch norms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.detection.layers import in_full_precision, norm
from dlcli.models.images.blocks import initialise

TOWER_DEPTH = 2

CLASS_BIAS = -4.0
"""Logit of each class at the beginning, a probability of 0.018: most points show nothing (RetinaNet, arXiv:1708.02002,
section 4.1, has 0.01)."""

DISTANCE_BIAS = 1.0
"""Before the softplus: boxes of a fresh network reach 1.3 strides to each side."""

OUTPUT_STD = 0.01


class Tower(nn.Module):
    """3x3 convolutions that all levels share, each followed by a batch norm of the level and SiLU.

    Maps of different strides have different statistics. With one norm for all, each is normalised by its own batch in
    training and by a mixture of all in evaluation: boxes were 5 % too large on each side then.

    Args:
        width: channels.
        num_levels: how many maps there are.
    """

    def __init__(self, width: int, num_levels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(TOWER_DEPTH)])
        self.norms = nn.ModuleList(
            [nn.ModuleList([norm(width) for _ in range(TOWER_DEPTH)]) for _ in range(num_levels)]
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return a map of the same shape for each of the maps."""
        outputs = []
        for features, norms in zip(maps, self.norms, strict=True):
            for conv, level_norm in zip(self.convs, norms, strict=True):  # type: ignore[call-overload]
                features = F.silu(level_norm(conv(features)), inplace=True)
            outputs.append(features)
        return outputs


class PointHead(nn.Module):
    """Class logits and distances to the sides of a box, for each point of each map.

    Source: FCOS (Tian et al. 2019, arXiv:1904.01355), with softplus instead of exp and without centre-ness.

    Args:
        num_classes: C.
        width: channels of the maps.
        num_levels: how many maps there are.
    """

    def __init__(self, num_classes: int, width: int, num_levels: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.class_tower = Tower(width, num_levels)
        self.box_tower = Tower(width, num_levels)
        self.class_output = nn.Conv2d(width, num_classes, 1)
        self.box_output = nn.Conv2d(width, 4, 1)
        self.scales = nn.Parameter(torch.ones(num_levels))
        initialise(self)
        for output, bias in ((self.class_output, CLASS_BIAS), (self.box_output, DISTANCE_BIAS)):
            nn.init.normal_(output.weight, std=OUTPUT_STD)
            nn.init.constant_(output.bias, bias)  # type: ignore[arg-type]

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits (N, A, C) and distances in strides (N, A, 4), above 0, both in fp32."""
        logits = [in_full_precision(self.class_output, each) for each in self.class_tower(maps)]
        raw = [
            in_full_precision(self.box_output, each) * scale
            for each, scale in zip(self.box_tower(maps), self.scales, strict=True)
        ]
        return _by_point(logits), F.softplus(_by_point(raw))


def _by_point(maps: Sequence[Tensor]) -> Tensor:
    """Return (N, A, C) for maps (N, C, H, W)."""
    return torch.cat([each.flatten(2).transpose(1, 2) for each in maps], dim=1)
