"""What a segmentation network is to its task."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Segmenter(Protocol):
    """An `nn.Module` that maps (N, 3, H, W) normalised images to (N, classes, H, W) logits; H, W multiples of 32."""

    def __call__(self, images: Tensor) -> Tensor:
        """Return the logits of the answer."""
        ...

    def logits_by_head(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of every head, for training: first those of the answer, then those of auxiliary heads."""
        ...
