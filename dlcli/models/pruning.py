"""Pruning by size: the smallest weights of a trained network become zero."""

from __future__ import annotations

import torch
from torch import nn


def prune_smallest(model: nn.Module, share: float) -> tuple[int, int]:
    """Set a share of the weights of linear layers and convolutions to zero, in place; return the zeros and the total.

    The smallest over all layers together are chosen, so a layer of small weights loses more than others. Biases, norms
    and tables of vectors stay.

    Source: Han et al. 2015, arXiv:1506.02626, without the training that follows there. `torch.nn.utils.prune` does the
    same, but reorders the parameters and fails where images have their channels last.

    Args:
        model: the network.
        share: of the weights, in (0, 1).

    Raises:
        ValueError: the network has no such layer.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Linear, nn.modules.conv._ConvNd))]
    if not layers:
        raise ValueError("no linear layer and no convolution")
    weights = [layer.weight for layer in layers]
    total = sum(weight.numel() for weight in weights)
    count = round(share * total)
    with torch.no_grad():
        sizes = torch.cat([weight.abs().flatten() for weight in weights])
        keeps = torch.ones_like(sizes).scatter_(0, sizes.argsort(stable=True)[:count], 0.0)
        parts = torch.split(keeps, [weight.numel() for weight in weights])
        for weight, part in zip(weights, parts, strict=True):
            weight.mul_(part.view(weight.shape))
    return sum(int((weight == 0).sum()) for weight in weights), total
