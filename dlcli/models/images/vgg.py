"""A small VGG for CIFAR: Simonyan & Zisserman 2014, arXiv:1409.1556.

Differences from the paper: six convolutions (64, 128, 256, 256, 512, 512) instead of eight to sixteen; batch norm after
each, which the paper lacks; a mean over the last map instead of the two layers of 4096 units, so any image size works.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from dlcli.models.images.blocks import Kinds, conv_norm_act, initialise
from dlcli.models.images.stem import MIN_IMAGE, check_image_size, check_images


class VGG(nn.Module):
    """Six 3x3 convolutions in four stages, each ending in a max-pool of stride 2, mean over the map, dropout, head.

    Args:
        num_classes: number of logits.
        in_channels: 1 or 3.
        image_size: side of the images in pixels; only checked.
        dropout: before the head.
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
        dropout: float = 0.0,
        norm: str = "batch",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        check_image_size("vgg", image_size, MIN_IMAGE)
        self.in_channels = in_channels
        kinds = Kinds(norm, activation)
        self.layer1 = _stage(kinds, in_channels, 64)
        self.layer2 = _stage(kinds, 64, 128)
        self.layer3 = _stage(kinds, 128, 256, 256)
        self.layer4 = _stage(kinds, 256, 512, 512)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(512, num_classes)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, num_classes) logits for (N, C, H, W) images."""
        check_images("vgg", images, self.in_channels, MIN_IMAGE)
        features = self.layer4(self.layer3(self.layer2(self.layer1(images))))
        logits: Tensor = self.head(self.dropout(features.mean(dim=(2, 3))))
        return logits


def _stage(kinds: Kinds, *widths: int) -> nn.Sequential:
    convolutions = [conv_norm_act(before, after, 3, kinds=kinds) for before, after in pairwise(widths)]
    return nn.Sequential(*convolutions, nn.MaxPool2d(2))
