"""A U-Net whose encoder is any backbone, or a small one of our own.

Each step of the decoder enlarges its map to the next finer stride, puts the encoder's map of that stride beside it and
applies two 3x3 convolutions. A backbone's finest map has half of the image's resolution or less; from there the logits
are interpolated, which costs a fraction of further convolutions.

Source: Ronneberger et al. 2015, arXiv:1505.04597; bilinear enlarging in place of transposed convolutions, which leave
checkerboards (Odena et al. 2016, doi:10.23915/distill.00003), and padded convolutions with batch norm.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.images.backbone import Backbone, build_backbone

UPSAMPLING = ("bilinear", "nearest")

WIDTH = 16
"""Channels of the finest map of the decoder; each coarser one has twice as many, up to eight times."""

MAX_GROWTH = 8

BODY_SIDE_PX = 224
"""A backbone built for images of up to 64 pixels would halve less often."""


class SmallBody(nn.Module):
    """An encoder for fresh weights: two 3x3 convolutions at each of the strides 1, 2, 4, 8 and 16.

    Args:
        in_channels: of the images.
        width: channels at stride 1; each coarser stride has twice as many, up to eight times.
    """

    strides = (1, 2, 4, 8, 16)

    def __init__(self, in_channels: int = 3, width: int = WIDTH) -> None:
        super().__init__()
        self.out_channels = {stride: width * min(stride, MAX_GROWTH) for stride in self.strides}
        widths = [in_channels, *self.out_channels.values()]
        self.stages = nn.ModuleList(_convolutions(before, after) for before, after in pairwise(widths))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the map of each stride."""
        maps, features = [], images
        for number, stage in enumerate(self.stages):
            features = stage(F.max_pool2d(features, 2) if number else features)
            maps.append(features)
        return tuple(maps)


class UNet(nn.Module):
    """An encoder with a decoder; see `Segmenter`.

    Args:
        encoder: gives the maps.
        num_classes: C, the background included.
        width: channels of the decoder's finest map.
        upsampling: "bilinear" or "nearest".
    """

    def __init__(
        self, encoder: Backbone | SmallBody, num_classes: int, *, width: int = WIDTH, upsampling: str = "bilinear"
    ) -> None:
        super().__init__()
        if upsampling not in UPSAMPLING:
            raise ValueError(f"upsampling {upsampling!r}: choose {' or '.join(UPSAMPLING)}")
        self.encoder = encoder
        strides, channels = encoder.strides, encoder.out_channels
        self._upsampling = upsampling
        self._finest = strides[0]
        self._factors = [coarse // fine for fine, coarse in reversed(list(pairwise(strides)))]
        self.decoder = nn.ModuleList()
        below = channels[strides[-1]]
        for number in reversed(range(len(strides) - 1)):
            own = width * min(2**number, MAX_GROWTH)
            self.decoder.append(_convolutions(below + channels[strides[number]], own))
            below = own
        self.head = nn.Conv2d(below, num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, C, H, W) logits of (N, 3, H, W) normalised images; H and W are multiples of the last stride."""
        *finer, features = self.encoder(images)
        for factor, step, skipped in zip(self._factors, self.decoder, reversed(finer), strict=True):
            features = step(torch.cat([_enlarged(features, factor, self._upsampling), skipped], dim=1))
        return _enlarged(self.head(features), self._finest, "bilinear")

    def logits_by_head(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of the only head."""
        return (self(images),)

    def class_biases(self) -> tuple[Tensor, ...]:
        """See `Segmenter`."""
        assert self.head.bias is not None
        return (self.head.bias,)


def build_unet(
    num_classes: int,
    *,
    backbone: str | None = None,
    pretrained: str | None = None,
    width: int | None = None,
    upsampling: str = "bilinear",
) -> UNet:
    """Return a U-Net.

    Args:
        num_classes: C, the background included.
        backbone: the encoder, a classifier with maps by stride; None for `SmallBody`.
        pretrained: weights of the backbone, as in `load_pretrained`.
        width: channels of the decoder's finest map, and of `SmallBody`'s; None for `WIDTH`.
        upsampling: "bilinear" or "nearest".

    Raises:
        UsageError: there is no such backbone, or it has no maps by stride.
        DataError: the published weights are not there.
        RunError: the file of weights is missing, damaged or does not fit.
    """
    if backbone is None:
        encoder: Backbone | SmallBody = SmallBody(width=width or WIDTH)
    else:
        encoder = build_backbone(backbone, image_size=BODY_SIDE_PX, pretrained=pretrained)
    return UNet(encoder, num_classes, width=width or WIDTH, upsampling=upsampling)


def _convolutions(before: int, after: int) -> nn.Sequential:
    """Return two 3x3 convolutions, each with batch norm and ReLU."""
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _enlarged(features: Tensor, factor: int, mode: str) -> Tensor:
    if factor == 1:
        return features
    return F.interpolate(
        features, scale_factor=float(factor), mode=mode, align_corners=False if mode == "bilinear" else None
    )
