"""Passes through a network, and the critics' loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.models.generative.gan_losses import GanLoss


def mixes_images(network: nn.Module) -> bool:
    """Return whether an image's output in training depends on the others of its batch, as with batch norm."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


def passes(network: nn.Module, *batches: Tensor) -> list[Tensor]:
    """Return the network's outputs for several batches of images, (N, C, H, W) each.

    They are computed as one batch where that makes no difference.
    """
    if len(batches) == 1 or mixes_images(network):
        return [network(batch) for batch in batches]
    outputs: Tensor = network(torch.cat(batches))
    return list(torch.split(outputs, [len(batch) for batch in batches]))


def critic_loss(critic: nn.Module, real: Tensor, made: Tensor, gan: GanLoss) -> Tensor:
    """Return half of the sum of the losses for real and for made images, as published for both models."""
    real_judged, made_judged = passes(critic, real, made)
    return 0.5 * (gan(real_judged, is_real=True) + gan(made_judged, is_real=False))


def mean_distance(made: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean absolute difference of values, a scalar float32."""
    return (made.float() - wanted.float()).abs().mean()
