"""What generators from noise and their critics share: the sides of their images, and how they take a class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError

MAX_SIDE_PX = 128
SIDES = tuple(
    sorted(start << steps for start in (4, 5, 6, 7) for steps in range(1, 6) if start << steps <= MAX_SIDE_PX)
)
"""Sides in pixels that double from 4, 5, 6 or 7: those of digits (8), MNIST (28) and CIFAR (32) need no resizing."""

CLASS_FEATURES = 32
"""Numbers that stand for a class beside the noise: enough for a hundred classes."""


def doublings(side: int) -> tuple[int, int]:
    """Return the side of the smallest map, 4 to 7, and how often it doubles up to `side`.

    Raises:
        UsageError: no such map doubles to this side.
    """
    if side not in SIDES:
        near = sorted(sorted(SIDES, key=lambda known: abs(known - side))[:2])
        raise UsageError(
            f"--size {side}: not 4, 5, 6 or 7 times a power of two, of at most {MAX_SIDE_PX} pixels",
            hint=f"use --size {near[0]} or {near[1]}; images are scaled to it",
        )
    steps = (side // 4).bit_length() - 1
    return side >> steps, steps


CLASS_STD = 0.2
"""Of these numbers at the start. With 1, as loud as the noise, a conditional DCGAN on digits soon made one image of
each class (0.38 of the deviation of real ones; with 0.2 it was 0.79, and the distance to real images a third)."""


class NoiseGenerator(nn.Module):
    """Noise (N, Z), and for a conditional one classes (N,) int64, to images (N, C, H, W) in [-1, 1].

    A class is an embedding beside the noise (Mirza & Osindero 2014, arXiv:1411.1784).

    Args:
        body: (N, Z + CLASS_FEATURES if conditional) -> (N, C, H, W).
        num_classes: 0 for an unconditional generator.
    """

    def __init__(self, body: nn.Module, num_classes: int = 0) -> None:
        super().__init__()
        self.classes = nn.Embedding(num_classes, CLASS_FEATURES) if num_classes else None
        if self.classes is not None:
            nn.init.normal_(self.classes.weight, 0.0, CLASS_STD)
        self.body = body

    def forward(self, noise: Tensor, classes: Tensor | None = None) -> Tensor:
        """Return the images."""
        if self.classes is not None:
            noise = torch.cat([noise, self.classes(classes)], 1)
        images: Tensor = self.body(noise)
        return images


class Critic(nn.Module):
    """Images (N, C, H, W) in [-1, 1], and for a conditional one classes (N,) int64, to judgements (N,) without bounds.

    A conditional critic adds the inner product of the features and an embedding of the class (Miyato & Koyama 2018,
    arXiv:1802.05637, equation 3), so that each class has a template in terms of the same features.

    Args:
        body: (N, C, H, W) -> features (N, F).
        num_features: F.
        num_classes: 0 for an unconditional critic.
        is_itemwise: whether an image's judgement does not depend on the rest of the batch, as with batch norm it does.
    """

    def __init__(self, body: nn.Module, num_features: int, num_classes: int = 0, *, is_itemwise: bool) -> None:
        super().__init__()
        self.is_itemwise = is_itemwise
        self.body = body
        self.head = nn.Linear(num_features, 1)
        self.classes = nn.Embedding(num_classes, num_features) if num_classes else None
        if self.classes is not None:
            nn.init.normal_(self.classes.weight, 0.0, 0.02)  # like the weights of the head, to which it adds

    def forward(self, images: Tensor, classes: Tensor | None = None) -> Tensor:
        """Return the judgements."""
        features = self.body(images)
        judgements: Tensor = self.head(features)[:, 0]
        if self.classes is not None:
            judgements = judgements + (features * self.classes(classes)).sum(1)
        return judgements


def noise_features(latent: int, num_classes: int) -> int:
    """Return the number of values that the body of a `NoiseGenerator` takes."""
    return latent + (CLASS_FEATURES if num_classes else 0)
