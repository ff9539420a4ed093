"""PeleeNet: Wang, Li & Ling 2018, arXiv:1804.06882; official script github.com/Robert-JunWang/PeleeNet.

Differences from the paper: images of up to 64 pixels get a stem of stride 1 with weights of the same shapes. At 1000
classes and 224 pixels the network has the paper's 2.80 M parameters and 508 M multiply-adds.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from dlcli.models.images.blocks import BATCH_RELU, Kinds, conv_norm_act, initialise
from dlcli.models.images.stem import MIN_IMAGE, SMALL_IMAGE, check_image_size, check_images

GROWTH = 32
"""Channels that a dense layer adds, half of them from each of its two branches."""

LAYERS = (3, 4, 8, 6)
"""Dense layers per stage (table 1)."""

BOTTLENECKS = (1, 2, 4, 4)
"""Bottleneck width of each stage, in units of half the growth: early maps of few channels need thin ones."""

STEM_WIDTH = 32
DROPOUT = 0.05
"""Dropout before the head, as in the official script."""


class PeleeNet(nn.Module):
    """A stem block and four stages of two-way dense layers, mean over the map, head.

    Args:
        num_classes: number of logits.
        in_channels: 1 or 3.
        image_size: side of the images in pixels; chooses the stem.
        norm, activation: names in `dlcli.models.layers`.

    Raises:
        ImageSizeError: the images are under 28 pixels.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 224,
        norm: str = "batch",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        check_image_size("peleenet", image_size, MIN_IMAGE)
        self.in_channels = in_channels
        kinds = Kinds(norm, activation)
        self.stem = StemBlock(in_channels, 1 if image_size <= SMALL_IMAGE else 2, kinds)
        widths = [STEM_WIDTH + GROWTH * sum(LAYERS[:index]) for index in range(len(LAYERS) + 1)]
        self.layer1 = _stage(widths[0], LAYERS[0], BOTTLENECKS[0], kinds, is_last=False)
        self.layer2 = _stage(widths[1], LAYERS[1], BOTTLENECKS[1], kinds, is_last=False)
        self.layer3 = _stage(widths[2], LAYERS[2], BOTTLENECKS[2], kinds, is_last=False)
        self.layer4 = _stage(widths[3], LAYERS[3], BOTTLENECKS[3], kinds, is_last=True)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(widths[4], num_classes)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, num_classes) logits for (N, C, H, W) images."""
        check_images("peleenet", images, self.in_channels, MIN_IMAGE)
        features = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(images)))))
        logits: Tensor = self.head(self.dropout(features.mean(dim=(2, 3))))
        return logits


class StemBlock(nn.Module):
    """A convolution, then a thin convolution parallel to a max-pool, mixed by a 1x1 convolution (figure 2).

    Args:
        in_channels: 1 or 3.
        stride: 2 shrinks the map by a factor of four, as in the paper; 1 preserves its size.
        kinds: batch norm and ReLU by default.
    """

    def __init__(self, in_channels: int, stride: int, kinds: Kinds = BATCH_RELU) -> None:
        super().__init__()
        conv = functools.partial(conv_norm_act, kinds=kinds)
        self.first = conv(in_channels, STEM_WIDTH, 3, stride=stride)
        self.thin = conv(STEM_WIDTH, STEM_WIDTH // 2, 1)
        self.wide = conv(STEM_WIDTH // 2, STEM_WIDTH, 3, stride=stride)
        # ceil_mode: on maps of odd size, the padded convolution in parallel rounds up too.
        self.pool = nn.MaxPool2d(2, 2, ceil_mode=True) if stride == 2 else nn.MaxPool2d(3, 1, 1)
        self.mix = conv(STEM_WIDTH * 2, STEM_WIDTH, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 32, H / stride^2, W / stride^2) features for (N, C, H, W) images."""
        features = self.first(images)
        mixed: Tensor = self.mix(torch.cat([self.pool(features), self.wide(self.thin(features))], dim=1))
        return mixed


class DenseLayer(nn.Module):
    """Appends the channels of two branches to its input: one 3x3 convolution, and two in a row (figure 1)."""

    def __init__(self, in_channels: int, bottleneck: int, kinds: Kinds = BATCH_RELU) -> None:
        super().__init__()
        conv = functools.partial(conv_norm_act, kinds=kinds)
        added = GROWTH // 2
        thin = added * bottleneck
        self.way1 = nn.Sequential(conv(in_channels, thin, 1), conv(thin, added, 3))
        self.way2 = nn.Sequential(conv(in_channels, thin, 1), conv(thin, added, 3), conv(added, added, 3))

    def forward(self, features: Tensor) -> Tensor:
        """Return the input with 32 more channels, (N, C + 32, H, W) for (N, C, H, W)."""
        return torch.cat([features, self.way1(features), self.way2(features)], dim=1)


def _stage(in_channels: int, num_layers: int, bottleneck: int, kinds: Kinds, *, is_last: bool) -> nn.Sequential:
    """Return dense layers and a transition, which keeps all channels and, except in the last stage, halves the map."""
    dense = [DenseLayer(in_channels + GROWTH * index, bottleneck, kinds) for index in range(num_layers)]
    width = in_channels + GROWTH * num_layers
    halving = [] if is_last else [nn.AvgPool2d(2)]
    return nn.Sequential(*dense, conv_norm_act(width, width, 1, kinds=kinds), *halving)
