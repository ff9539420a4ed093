"""A generator that predicts how an image changes, in place of the whole image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

HEADROOM = 0.98
"""Scale of the input: black and white would be out of the reach of tanh, and no gradient would come through them."""


class ResidualGenerator(nn.Module):
    """Adds what a generator makes to its input before the tanh: tanh(artanh(0.98 x) + h), where h is its last map.

    After `start_from_input` an image comes out as it went in, but for that scale, so that a short training has nothing
    to relearn: neither the scene nor how to draw it.

    Args:
        generator: images in [-1, 1] to images in (-1, 1) of the same shape; its last layers are a convolution and tanh.
    """

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.stride = generator.stride

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, C, H, W) in (-1, 1) for images in [-1, 1]; H and W are multiples of `stride`."""
        made, kept = self.generator(images), HEADROOM * images
        # The tanh of a sum by the tanh of its terms; there is no artanh to overflow.
        changed: Tensor = (kept + made) / (1 + kept * made)
        return changed

    @torch.no_grad()
    def start_from_input(self) -> None:
        """Set the last convolution to zero: the change is nothing at first."""
        last = [module for module in self.modules() if isinstance(module, nn.modules.conv._ConvNd)][-1]
        nn.init.zeros_(last.weight)
        if last.bias is not None:
            nn.init.zeros_(last.bias)
