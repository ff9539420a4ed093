"""A small GoogLeNet: Szegedy et al. 2014, arXiv:1409.4842.

Differences from the paper: the nine modules of table 1 at half width; batch norm after each convolution, which makes
the two auxiliary classifiers unnecessary (Ioffe & Szegedy 2015, arXiv:1502.03167); for images of up to 64 pixels a stem
of one 3x3 convolution and one max-pool, where the paper's stem shrinks the map by a factor of eight.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from dlcli.models.images.blocks import BATCH_RELU, Kinds, conv_norm_act, initialise
from dlcli.models.images.stem import MIN_IMAGE, SMALL_IMAGE, check_image_size, check_images

# Table 1, the columns #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5 and pool proj, halved.
STAGE3 = ((32, 48, 64, 8, 16, 16), (64, 64, 96, 16, 48, 32))
STAGE4 = (
    (96, 48, 104, 8, 24, 32),
    (80, 56, 112, 12, 32, 32),
    (64, 64, 128, 12, 32, 32),
    (56, 72, 144, 16, 32, 32),
    (128, 80, 160, 16, 64, 64),
)
STAGE5 = ((128, 80, 160, 16, 64, 64), (192, 96, 192, 24, 64, 64))
STEM_WIDTH = 96
DROPOUT = 0.4
"""Dropout before the head, as in the paper."""


class Inception(nn.Module):
    """A stem, nine inception modules in three stages, mean over the map, dropout, head.

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
        image_size: int = 32,
        norm: str = "batch",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        check_image_size("inception", image_size, MIN_IMAGE)
        self.in_channels = in_channels
        kinds = Kinds(norm, activation)
        self.stem = (_small_stem if image_size <= SMALL_IMAGE else _large_stem)(in_channels, kinds)
        self.layer1 = nn.Sequential(*_modules(STEM_WIDTH, STAGE3, kinds), _halving())
        self.layer2 = nn.Sequential(*_modules(_width(STAGE3[-1]), STAGE4, kinds), _halving())
        self.layer3 = nn.Sequential(*_modules(_width(STAGE4[-1]), STAGE5, kinds))
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(_width(STAGE5[-1]), num_classes)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, num_classes) logits for (N, C, H, W) images."""
        check_images("inception", images, self.in_channels, MIN_IMAGE)
        features = self.layer3(self.layer2(self.layer1(self.stem(images))))
        logits: Tensor = self.head(self.dropout(features.mean(dim=(2, 3))))
        return logits


class InceptionModule(nn.Module):
    """Parallel 1x1, 3x3 and 5x5 convolutions and a max-pool, each reduced by a 1x1 convolution (figure 2b).

    Args:
        in_channels: of the input features.
        widths: one row of table 1.
        kinds: batch norm and ReLU by default.
    """

    def __init__(
        self, in_channels: int, widths: tuple[int, int, int, int, int, int], kinds: Kinds = BATCH_RELU
    ) -> None:
        super().__init__()
        conv = functools.partial(conv_norm_act, kinds=kinds)
        direct, thin3, wide3, thin5, wide5, pooled = widths
        self.branch1 = conv(in_channels, direct, 1)
        self.branch3 = nn.Sequential(conv(in_channels, thin3, 1), conv(thin3, wide3, 3))
        self.branch5 = nn.Sequential(conv(in_channels, thin5, 1), conv(thin5, wide5, 5))
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(in_channels, pooled, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return the concatenated channels of the four branches, (N, C', H, W) for (N, C, H, W)."""
        branches = (self.branch1, self.branch3, self.branch5, self.branch_pool)
        return torch.cat([branch(features) for branch in branches], dim=1)


def _width(widths: tuple[int, int, int, int, int, int]) -> int:
    direct, _, wide3, _, wide5, pooled = widths
    return direct + wide3 + wide5 + pooled


def _modules(
    in_channels: int, rows: tuple[tuple[int, int, int, int, int, int], ...], kinds: Kinds
) -> list[InceptionModule]:
    inputs = [in_channels, *(_width(row) for row in rows[:-1])]
    return [InceptionModule(before, row, kinds) for before, row in zip(inputs, rows, strict=True)]


def _halving() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2, 1)


def _small_stem(in_channels: int, kinds: Kinds) -> nn.Sequential:
    return nn.Sequential(conv_norm_act(in_channels, STEM_WIDTH, 3, kinds=kinds), _halving())


def _large_stem(in_channels: int, kinds: Kinds) -> nn.Sequential:
    return nn.Sequential(
        conv_norm_act(in_channels, 32, 7, stride=2, kinds=kinds),
        _halving(),
        conv_norm_act(32, 32, 1, kinds=kinds),
        conv_norm_act(32, STEM_WIDTH, 3, kinds=kinds),
        _halving(),
    )
