"""What a segmentation network is to its task."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

LEAST_SHARE = 1e-4
"""Of a class that the counted pixels do not show: rare, not impossible."""


class Segmenter(Protocol):
    """An `nn.Module` that maps (N, 3, H, W) normalised images to (N, classes, H, W) logits; H, W multiples of 32."""

    def __call__(self, images: Tensor) -> Tensor:
        """Return the logits of the answer."""
        ...

    def logits_by_head(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of every head, for training: first those of the answer, then those of auxiliary heads."""
        ...

    def class_biases(self) -> tuple[Tensor, ...]:
        """Return what is added to the logits of every head, each (classes,), in the order of `logits_by_head`."""
        ...


def begin_at_shares(network: Segmenter, pixels: np.ndarray) -> None:
    """Let a fresh network answer with the share of each class everywhere, in place, before it has learned anything.

    Else the first hundreds of steps of a short training are spent on learning that most pixels are background. It is
    what Lin et al. 2017 (arXiv:1708.02002, section 4.1) do for the rare class of a detector.

    Args:
        network: its biases are set.
        pixels: (C,) counts of each class.
    """
    shares = np.maximum(pixels / max(1, pixels.sum()), LEAST_SHARE)
    logits = torch.from_numpy(np.log(shares / shares.sum()))
    with torch.no_grad():
        for bias in network.class_biases():
            bias.copy_(logits)
