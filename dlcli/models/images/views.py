"""Test-time augmentation: the mean of a classifier's logits over several views of each image."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

SHIFTS = ((-1, 0.25), (0, 0.5), (1, 0.25))
"""Shift of a view along both axes, in pixels, and its weight (arXiv:2404.00498, section 3.5)."""


def logits_over_views(network: nn.Module, images: Tensor, *, mirror: bool) -> tuple[Tensor, Tensor]:
    """Return the logits of the unchanged images, and the weighted mean of the logits over their views, both (N, K).

    The views are the images unshifted and shifted by one pixel either way along the diagonal, with a reflected border;
    with `mirror` also those of the mirror images, so that an image and its mirror image get the same result. The paper
    mirrors after shifting instead, which would shift a mirror image along the other diagonal.

    Args:
        network: (N, C, H, W) images -> (N, K) logits.
        images: (N, C, H, W), any dtype.
        mirror: whether an image and its mirror image have the same class.
    """
    with_mirrored = (images, images.flip(-1)) if mirror else (images,)
    plain: Tensor | None = None
    mean = images.new_zeros((), dtype=torch.float32)
    for shift, weight in SHIFTS:
        logits = [network(_shifted(view, shift)).float() for view in with_mirrored]
        if shift == 0:
            plain = logits[0]
        mean = mean + weight * torch.stack(logits).mean(dim=0)
    assert plain is not None
    return plain, mean


class OverViews(nn.Module):
    """A network that answers twice: (N, C, H, W) images -> (N, K) logits and their mean over views, to be exported."""

    def __init__(self, network: nn.Module, *, mirror: bool) -> None:
        super().__init__()
        self.network = network
        self.mirror = mirror

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return `logits_over_views`."""
        return logits_over_views(self.network, images, mirror=self.mirror)


def _shifted(images: Tensor, shift: int) -> Tensor:
    """Return the images shifted down and right by `shift` pixels, reflected without repeating the border pixel."""
    if shift == 0:
        return images
    rows, columns = (torch.tensor(list(_sources(side, shift)), device=images.device) for side in images.shape[-2:])
    return images.index_select(-2, rows).index_select(-1, columns)


def _sources(side: int, shift: int) -> Iterator[int]:
    for place in range(side):
        source = abs(place - shift)
        yield source if source < side else 2 * (side - 1) - source
