"""The generator of pix2pix: halvings down to a few pixels, and doublings that also see the map of their size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.models.generative.norms import NORMS

LEAST_DEPTH, MOST_DEPTH = 5, 8
"""Halvings of the published networks: 8 for 256 pixels; with fewer than 5 the widest maps are never reached."""

MAX_GROWTH = 8
"""Channels of the deepest maps, in multiples of those of the finest."""

FULL_DEPTH = 5
"""Depth without repeated maps of the largest number of channels; those beyond it have dropout on their way up."""

DROPOUT = 0.5


def unet_depth(size: int) -> int | None:
    """Return how often images of a size can be halved, at most `MOST_DEPTH`; None if less than `LEAST_DEPTH` times.

    Args:
        size: side of the training images in pixels.
    """
    depth = min(MOST_DEPTH, (size & -size).bit_length() - 1)
    return depth if depth >= LEAST_DEPTH else None


class UNetGenerator(nn.Module):
    """Images to images of the same size.

    Source: Isola et al. 2017, arXiv:1611.07004, section 6.1.1, with the placement of norms and dropout of the authors'
    PyTorch code: the first and the last map down have no norm, and dropout follows the norm of each repeated map up.

    Args:
        depth: halvings.
        width: channels of the first map down; each further one has twice as many, up to eight times.
        norm: a name in `NORMS`.
        dropout: whether maps are dropped in training, the only noise of pix2pix.
        channels: of the images.
    """

    def __init__(
        self, *, depth: int = MOST_DEPTH, width: int = 64, norm: str = "batch", dropout: bool = True, channels: int = 3
    ) -> None:
        super().__init__()
        if not LEAST_DEPTH <= depth <= MOST_DEPTH:
            raise ValueError(f"depth {depth}: choose one from {LEAST_DEPTH} to {MOST_DEPTH}")
        self.stride = 2**depth
        widths = [width * min(2**level, MAX_GROWTH) for level in range(depth)]
        self.down = nn.ModuleList()
        for level, after in enumerate(widths):
            layers: list[nn.Module] = [nn.LeakyReLU(0.2)] if level else []
            layers.append(nn.Conv2d(widths[level - 1] if level else channels, after, 4, 2, 1, bias=False))
            if 0 < level < depth - 1:
                layers.append(NORMS[norm](after))
            self.down.append(nn.Sequential(*layers))
        self.up = nn.ModuleList()
        for level in reversed(range(depth)):
            before = widths[level] * (1 if level == depth - 1 else 2)
            if level == 0:
                self.up.append(nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(before, channels, 4, 2, 1), nn.Tanh()))
                continue
            after = widths[level - 1]
            layers = [nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), NORMS[norm](after)]
            if dropout and FULL_DEPTH - 1 <= level < depth - 1:
                layers.append(nn.Dropout(DROPOUT))
            self.up.append(nn.Sequential(*layers))

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, C, H, W) in [-1, 1] for images in [-1, 1]; H and W are multiples of `stride`."""
        maps = [images]
        for halve in self.down:
            maps.append(halve(maps[-1]))
        made = maps.pop()
        for level, double in enumerate(self.up):
            made = double(made if level == 0 else torch.cat([maps.pop(), made], dim=1))
        return made
