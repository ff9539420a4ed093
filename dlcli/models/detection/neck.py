"""The path aggregation network: a backbone's maps, mixed from coarse to fine and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.detection.layers import conv_norm_silu
from dlcli.models.images.blocks import initialise


class PathAggregation(nn.Module):
    """Maps of each stride to as many maps of `width` channels, each with what the others saw.

    A 1x1 convolution for each map; from coarse to fine, the coarser one is enlarged, added, and a dense 3x3 follows;
    from fine to coarse, the finer one passes a 3x3 and a 2x2 maximum, is added, and again a 3x3 follows.

    Source: Liu et al. 2018, arXiv:1803.01534, on the pyramid of Lin et al. 2017, arXiv:1612.03144. Differences: the
    way back halves by a maximum instead of a stride, and the coarsest map too gets a 3x3 on the way down.

    Args:
        in_channels: stride -> channels of the backbone's maps; each stride is twice the one before.
        width: channels of every map that is returned.

    Raises:
        ValueError: the strides are no powers of two in a row.
    """

    def __init__(self, in_channels: Mapping[int, int], width: int) -> None:
        super().__init__()
        strides = sorted(in_channels)
        if any(coarse != 2 * fine for fine, coarse in pairwise(strides)):
            raise ValueError(f"strides that do not double: {strides}")
        self.lateral = nn.ModuleList([conv_norm_silu(in_channels[stride], width, 1) for stride in strides])
        self.down = nn.ModuleList([conv_norm_silu(width, width, 3) for _ in strides])
        self.before_pool = nn.ModuleList([conv_norm_silu(width, width, 3) for _ in strides[1:]])
        self.up = nn.ModuleList([conv_norm_silu(width, width, 3) for _ in strides[1:]])
        initialise(self)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return (N, width, H, W) for each (N, C, H, W); maps from fine to coarse, each side half of the one before."""
        mixed = [layer(features) for layer, features in zip(self.lateral, maps, strict=True)]
        mixed[-1] = self.down[-1](mixed[-1])
        for level in range(len(mixed) - 2, -1, -1):
            enlarged = F.interpolate(mixed[level + 1], size=mixed[level].shape[2:], mode="nearest")
            mixed[level] = self.down[level](mixed[level] + enlarged)
        for level, (before_pool, up) in enumerate(zip(self.before_pool, self.up, strict=True), 1):
            mixed[level] = up(mixed[level] + F.max_pool2d(before_pool(mixed[level - 1]), 2))
        return tuple(mixed)
