"""The generator of CycleGAN: two halvings, residual blocks, two doublings."""

from __future__ import annotations

from torch import Tensor, nn

from dlcli.models.generative.norms import NORMS

STRIDE = 4
"""Sides of an image must be multiples of this."""

UPSAMPLING = ("transposed", "resize")


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with reflection padding, added to their input.

    Args:
        channels: of the map.
        norm: a name in `NORMS`.
    """

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(channels, channels, 3, norm), *_convolution(channels, channels, 3, norm)[:-1]
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, C, H, W)."""
        summed: Tensor = features + self.layers(features)
        return summed


class ResNetGenerator(nn.Module):
    """Images to images of the same size.

    Source: Johnson et al. 2016, arXiv:1603.08155, as used by Zhu et al. 2017, arXiv:1703.10593, section 7.2 (c7s1-64,
    d128, d256, R256 x 6 for images of 128 pixels and x 9 from 256 on, u128, u64, c7s1-3).

    Args:
        blocks: residual blocks.
        width: channels at full resolution; the blocks have four times as many.
        norm: a name in `NORMS`.
        upsampling: "transposed" convolutions as published, or "resize": nearest neighbours followed by a convolution,
            which leaves no checkerboards (Odena et al. 2016, doi:10.23915/distill.00003).
        channels: of the images.
    """

    stride = STRIDE

    def __init__(
        self,
        *,
        blocks: int = 9,
        width: int = 64,
        norm: str = "instance",
        upsampling: str = "transposed",
        channels: int = 3,
    ) -> None:
        super().__init__()
        if upsampling not in UPSAMPLING:
            raise ValueError(f"upsampling {upsampling!r}: choose {' or '.join(UPSAMPLING)}")
        layers = _convolution(channels, width, 7, norm)
        for before in (width, 2 * width):
            layers += [nn.Conv2d(before, 2 * before, 3, stride=2, padding=1, bias=False), NORMS[norm](2 * before)]
            layers.append(nn.ReLU(inplace=True))
        layers += [ResidualBlock(4 * width, norm) for _ in range(blocks)]
        for before in (4 * width, 2 * width):
            layers += [*_doubling(before, before // 2, upsampling), NORMS[norm](before // 2), nn.ReLU(inplace=True)]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, C, H, W) in [-1, 1] for images in [-1, 1]; H and W are multiples of `stride`, and at least 8."""
        made: Tensor = self.layers(images)
        return made


def _convolution(before: int, after: int, side: int, norm: str) -> list[nn.Module]:
    """Return reflection padding, a convolution that keeps the size, norm and ReLU."""
    return [
        nn.ReflectionPad2d(side // 2),
        nn.Conv2d(before, after, side, bias=False),
        NORMS[norm](after),
        nn.ReLU(inplace=True),
    ]


def _doubling(before: int, after: int, upsampling: str) -> list[nn.Module]:
    if upsampling == "transposed":
        return [nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1, bias=False)]
    return [nn.Upsample(scale_factor=2), nn.ReflectionPad2d(1), nn.Conv2d(before, after, 3, bias=False)]
