"""Wren's own body: a small network of dense convolutions, for training from scratch.

On CPUs with AVX-512 a dense 3x3 convolution in bf16 takes a quarter of its time in fp32, while the depthwise ones of
mobile networks gain nothing and the weight gradient of a 5x5 one costs more than the rest of its block. So this body
has dense convolutions only, on few channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dlcli.models.detection.layers import conv_norm_silu
from dlcli.models.images.blocks import initialise

STAGE_BLOCKS = (1, 1, 2, 2, 1)
"""Residual blocks of each stage; the first one, at half of the image's size, has a stem alone."""

STAGE_WIDTHS = (1, 2, 4, 8, 10)
"""Channels of each stage in units of `width`."""

OUTPUT_STRIDES = (8, 16, 32)


class WrenBody(nn.Module):
    """Five stages of stride 2; from the second on, each ends in a cross-stage block. 1.9 M parameters at width 24.

    It has the attributes of `dlcli.models.images.backbone.Backbone`.

    Attributes:
        stages: the layers in order, a Sequential for each stride.
        stage_strides: the stride of each stage's map.
        strides: of the maps that are returned.
        out_channels: stride -> channels, of the maps that are returned.

    Args:
        width: channels of the stem.
        in_channels: of the images.
    """

    def __init__(self, width: int = 24, in_channels: int = 3) -> None:
        super().__init__()
        widths = [width * factor for factor in STAGE_WIDTHS]
        self.stage_strides = tuple(2 ** (place + 1) for place in range(len(widths)))
        self.strides = OUTPUT_STRIDES
        self.out_channels = {
            stride: channels
            for stride, channels in zip(self.stage_strides, widths, strict=True)
            if stride in OUTPUT_STRIDES
        }
        self.stages = nn.ModuleList([conv_norm_silu(in_channels, width, 3, stride=2)])
        for before, channels, blocks in zip(widths, widths[1:], STAGE_BLOCKS[1:], strict=False):
            down = conv_norm_silu(before, channels, 3, stride=2)
            self.stages.append(nn.Sequential(down, CrossStage(channels, blocks)))
        initialise(self)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of strides 8, 16 and 32, (N, out_channels[stride], H / stride, W / stride)."""
        maps, features = [], images
        for stride, stage in zip(self.stage_strides, self.stages, strict=True):
            features = stage(features)
            if stride in self.out_channels:
                maps.append(features)
        return tuple(maps)


class CrossStage(nn.Module):
    """Half of the channels pass residual blocks, half pass by, and a 1x1 convolution mixes what all blocks give.

    Source: Wang et al. 2019, arXiv:1911.11929; the blocks' outputs are all kept as in YOLOv8's C2f.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        half = channels // 2
        self.split = conv_norm_silu(channels, 2 * half, 1)
        self.blocks = nn.ModuleList([Residual(half) for _ in range(blocks)])
        self.mix = conv_norm_silu((2 + blocks) * half, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, C, H, W) for (N, C, H, W)."""
        parts: Sequence[Tensor] = self.split(features).chunk(2, dim=1)
        parts = list(parts)
        for block in self.blocks:
            parts.append(block(parts[-1]))
        output: Tensor = self.mix(torch.cat(parts, dim=1))
        return output


class Residual(nn.Module):
    """Two dense 3x3 convolutions and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(conv_norm_silu(channels, channels, 3), conv_norm_silu(channels, channels, 3))

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, C, H, W) for (N, C, H, W)."""
        output: Tensor = features + self.layers(features)
        return output
