"""Protocols of networks with special training: what is computed from the data, and parameters that are frozen early."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor

FIT_IMAGES = 5_000
"""How many 32-pixel images such a layer is computed from (arXiv:2404.00498, section 3.2); fewer larger ones, with the
same total number of pixels."""


@runtime_checkable
class FitsToImages(Protocol):
    """A network with a layer that is computed from images instead of learned by gradients."""

    def fit_to(self, images: Tensor) -> None:
        """Compute the layer from training images; its weights are part of the state dict.

        Args:
            images: (N, C, H, W) float, normalised.
        """
        ...


@runtime_checkable
class FitsToTexts(Protocol):
    """A network that is computed from texts, before the first step, and has no parameters to learn."""

    def fit_to(self, texts: Sequence[np.ndarray], ends: Sequence[bool]) -> None:
        """Compute it from training texts; its buffers are part of the state dict.

        Args:
            texts: the ids of the tokens of each, (T,) integers.
            ends: whether each ends there, or was cut off.
        """
        ...


@runtime_checkable
class FitsToLabels(Protocol):
    """A classifier that is computed from all training items at once, before the first step; none of it is trained."""

    @property
    def fitted(self) -> Mapping[str, Tensor]:
        """What was chosen when it was computed, by name, each a scalar."""
        ...

    def fit_to_labels(
        self,
        train: Iterable[tuple[tuple[Tensor, ...], Tensor]],
        valid: Iterable[tuple[tuple[Tensor, ...], Tensor]],
        class_weights: np.ndarray | None,
    ) -> None:
        """Compute the weights.

        Args:
            train, valid: the network's inputs and the (N,) labels of each batch, for all items of the part.
            class_weights: (C,) weights of the items of each class, or None.
        """
        ...


@runtime_checkable
class CountsTexts(Protocol):
    """A network, or a part of one, with buffers computed from the training texts, such as document frequencies."""

    def count_texts(self, batches: Iterable[tuple[Tensor, ...]]) -> None:
        """Compute the buffers, which are part of the state dict.

        Args:
            batches: the network's inputs for all training texts, each text once.
        """
        ...


@runtime_checkable
class LearnsEarly(Protocol):
    """A network that trains some of its parameters only at the beginning, which saves time afterwards."""

    def learned_early(self) -> Iterable[tuple[Tensor, float]]:
        """Return each such parameter, with the fraction of the training, in (0, 1), after which it is frozen."""
        ...


def fit_count(height: int, width: int) -> int:
    """Return from how many images of this size (in pixels) a layer is computed: 1 to 5,000."""
    return max(1, min(FIT_IMAGES, FIT_IMAGES * 32 * 32 // (height * width)))
