"""What a network can tell of its training: a layer that is taken from the images, parameters that are soon learned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from torch import Tensor

FIT_IMAGES = 5_000
"""Images of 32 pixels that such a layer is computed from (arXiv:2404.00498, section 3.2); of larger ones fewer, with as
many pixels together."""


@runtime_checkable
class FitsToImages(Protocol):
    """A network with a layer that is computed from images, not learned by gradients."""

    def fit_to(self, images: Tensor) -> None:
        """Compute the layer from normalised (N, C, H, W) training images; the weights are part of the state dict."""
        ...


@runtime_checkable
class LearnsEarly(Protocol):
    """A network some of whose parameters are trained in the first part of a training only, which spares time after."""

    def learned_early(self) -> Iterable[tuple[Tensor, float]]:
        """Return each such parameter, and the part of the training, in (0, 1), after which it stands still."""
        ...


def fit_count(height: int, width: int) -> int:
    """Return how many images of this size a layer is computed from: at least 1."""
    return max(1, min(FIT_IMAGES, FIT_IMAGES * 32 * 32 // (height * width)))
