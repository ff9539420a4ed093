"""The Inception v3 by which FID and KID are measured: TensorFlow's of 2015, as torchvision's with other pools.

Its average pools do not count the padding, the last block takes the maximum in place of the mean, and it has 1008
classes. Source: github.com/mseitzer/pytorch-fid, `inception.py`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import inception as blocks

NUM_CLASSES = 1008


def build_inception() -> blocks.Inception3:
    """Return the network with new weights, for images of 299 pixels in [-1, 1]; without dropout it is deterministic."""
    kinds = [
        blocks.BasicConv2d,
        _BlockA,
        blocks.InceptionB,
        _BlockC,
        blocks.InceptionD,
        _block_e,
        blocks.InceptionAux,
    ]
    return blocks.Inception3(
        num_classes=NUM_CLASSES,
        aux_logits=False,
        transform_input=False,
        inception_blocks=kinds,
        init_weights=False,
        dropout=0.0,
    )


def _mean(features: Tensor) -> Tensor:
    return F.avg_pool2d(features, kernel_size=3, stride=1, padding=1, count_include_pad=False)


class _BlockA(blocks.InceptionA):  # type: ignore[misc]
    """Branches of 1x1, 5x5, two 3x3, and a mean."""

    def _forward(self, x: Tensor) -> list[Tensor]:
        return [
            self.branch1x1(x),
            self.branch5x5_2(self.branch5x5_1(x)),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x))),
            self.branch_pool(_mean(x)),
        ]


class _BlockC(blocks.InceptionC):  # type: ignore[misc]
    """Branches of 1x1, 7x7 and two 7x7, each cut into 1x7 and 7x1, and a mean."""

    def _forward(self, x: Tensor) -> list[Tensor]:
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        return [
            self.branch1x1(x),
            self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x))),
            self.branch7x7dbl_5(self.branch7x7dbl_4(double)),
            self.branch_pool(_mean(x)),
        ]


class _BlockE(blocks.InceptionE):  # type: ignore[misc]
    """Branches of 1x1, 3x3 and two 3x3, each of two halves, and a pool.

    Args:
        in_channels: of the input.
        is_last: whether the pool takes the maximum.
    """

    def __init__(self, in_channels: int, is_last: bool) -> None:
        super().__init__(in_channels)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1) if is_last else nn.AvgPool2d(3, 1, 1, count_include_pad=False)

    def _forward(self, x: Tensor) -> list[Tensor]:
        single = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        return [
            self.branch1x1(x),
            torch.cat([self.branch3x3_2a(single), self.branch3x3_2b(single)], dim=1),
            torch.cat([self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)], dim=1),
            self.branch_pool(self.pool(x)),
        ]


def _block_e(in_channels: int) -> _BlockE:
    """Return one of the two last blocks: the first has 1280 channels, the second 2048."""
    return _BlockE(in_channels, is_last=in_channels == 2048)
