"""Networks of one shape and different weights that answer together: a deep ensemble in one module.

Its answer is the mean of its members' probabilities, which is better than one member's and better calibrated
(Lakshminarayanan et al. 2017, arXiv:1612.01474). It is given as logits, so that an ensemble is evaluated, predicted
with and exported as one network is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Combine = Callable[[Tensor], Tensor]
"""Logits of each member, (M, N, C, ...) -> logits of the mean probabilities, (N, C, ...) float32."""


def mean_of_classes(logits: Tensor) -> Tensor:
    """Return the logarithms of the members' mean softmax probabilities, (N, C, ...) float32.

    Args:
        logits: (M, N, C, ...); with H and W behind, the classes of each pixel.
    """
    return torch.logsumexp(logits.float().log_softmax(2), 0) - math.log(len(logits))


def mean_of_labels(logits: Tensor) -> Tensor:
    """Return the logits of the members' mean sigmoid probabilities, (N, C) float32.

    They are the logarithm of the odds of the mean, from logarithms alone, so that sure members give no infinity.

    Args:
        logits: (M, N, C).
    """
    logits = logits.float()
    return torch.logsumexp(F.logsigmoid(logits), 0) - torch.logsumexp(F.logsigmoid(-logits), 0)


@runtime_checkable
class HasMembers(Protocol):
    """A module of several networks of one shape that answer together."""

    @property
    def networks(self) -> nn.ModuleList:
        """The members."""
        ...


class Ensemble(nn.Module):
    """Several networks that answer together.

    Args:
        networks: M networks, each from the same inputs to (N, C, ...) logits.
        combine: their logits to those of the ensemble.
    """

    def __init__(self, networks: Sequence[nn.Module], combine: Combine = mean_of_classes) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.combine = combine

    def members(
        self, first: Tensor, second: Tensor | None = None, third: Tensor | None = None, fourth: Tensor | None = None
    ) -> Tensor:
        """Return each member's logits, (M, N, C, ...), for the one to four inputs of a network."""
        inputs = [each for each in (first, second, third, fourth) if each is not None]
        return torch.stack([network(*inputs) for network in self.networks])

    def forward(
        self, first: Tensor, second: Tensor | None = None, third: Tensor | None = None, fourth: Tensor | None = None
    ) -> Tensor:
        """Return the ensemble's logits, (N, C, ...) float32.

        The inputs are named, since torch.export takes the shapes of `*inputs` as those of one nested input.
        """
        return self.combine(self.members(first, second, third, fourth))


def members_of(model: nn.Module) -> list[nn.Module]:
    """Return the networks of an ensemble; of any other model a list of the model alone."""
    return list(model.networks) if isinstance(model, HasMembers) else [model]


def first_equal(networks: Sequence[nn.Module]) -> tuple[int, int] | None:
    """Return the places of the first two networks whose parameters are all equal, or None."""
    for later, network in enumerate(networks):
        own = list(network.parameters())
        for earlier in range(later):
            if all(map(torch.equal, own, networks[earlier].parameters())):
                return earlier, later
    return None
