"""A training step of pix2pix.

Source: Isola et al. 2017, arXiv:1611.07004, section 3, and the authors' code: the critic, which judges an image
together with what it was made from, steps first.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from dlcli.engine.task import Update
from dlcli.models.generative.gan_losses import GanLoss
from dlcli.tasks.style.passes import critic_loss, mean_distance


def pix2pix_step(
    generator: nn.Module, critic: nn.Module, source: Tensor, target: Tensor, *, gan: GanLoss, l1: float
) -> Iterator[Update]:
    """Yield the critic's update, then the generator's.

    Args:
        generator: translates the source's domain.
        critic: judges pairs, (N, 6, H, W).
        source, target: (N, 3, H, W) images of the same scenes in [-1, 1].
        gan: the adversarial loss.
        l1: weight of the distance between made and true images.
    """
    made = generator(source)
    real_pair, made_pair = torch.cat([source, target], 1), torch.cat([source, made], 1)
    yield Update("critics", {"critic": critic_loss(critic, real_pair, made_pair.detach(), gan)}, len(source))
    losses = {"gan": gan(critic(made_pair), is_real=True), "l1": l1 * mean_distance(made, target)}
    yield Update("generators", losses, len(source))
