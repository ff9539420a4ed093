"""A network with uint8 pixels as input and normalisation as its first layer, so that every export includes it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Normalised(nn.Module):
    """Normalises pixels per channel, then applies the network.

    Args:
        network: takes normalised (N, C, H, W) images.
        mean, std: per channel, of pixels in [0, 1].
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1) * 255)
        self.register_buffer("scale", 1 / (torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1) * 255))

    def forward(self, images: Tensor) -> Tensor:
        """Return the network's logits for (N, C, H, W) pixels in 0..255, uint8 or float."""
        logits: Tensor = self.network(self.normalise(images))
        return logits

    def normalise(self, images: Tensor) -> Tensor:
        """Return the normalised images, (N, C, H, W) float32, of (N, C, H, W) pixels in 0..255."""
        scale, shift = self.scale, -self.mean * self.scale
        if images.is_contiguous(memory_format=torch.channels_last):
            # Broadcasting over innermost rows of three numbers is slow: 0.65 ms per batch of CIFAR images, 0.08 ms with
            # the three expanded over the map.
            size = (1, scale.shape[1], *images.shape[2:])
            scale, shift = (
                value.expand(size).contiguous(memory_format=torch.channels_last) for value in (scale, shift)
            )
        return images.to(torch.float32, copy=True).mul_(scale).add_(shift)  # in place: the copy is ours
