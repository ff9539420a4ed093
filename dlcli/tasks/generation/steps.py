"""The training steps of a generator from noise and its critic, from networks and a batch to updates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.engine.task import Batch, Update
from dlcli.models.generative.gan_losses import GanLoss, cross_entropy, wasserstein
from dlcli.models.generative.noise_nets import Critic
from dlcli.models.generative.penalties import gradient_penalty, r1_penalty

PENALTY_WEIGHT = 10.0
"""Lambda of the gradient penalty, in all experiments of Gulrajani et al. 2017."""

CRITIC, GENERATOR = "critic", "generator"


@dataclass(frozen=True)
class Game:
    """The two networks and what each of them minimises.

    Attributes:
        generator: noise, and perhaps classes, to images.
        critic: images, and perhaps classes, to judgements.
        loss: of both sides.
        has_gradient_penalty: whether the critic's gradient is held to a norm of 1 between real and made images.
        r1: the weight of the penalty on the critic's gradient at real images; 0 for none.
    """

    generator: nn.Module
    critic: Critic
    loss: GanLoss
    has_gradient_penalty: bool = False
    r1: float = 0.0


def game_of(model: str, generator: nn.Module, critic: Critic, r1: float) -> Game:
    """Return the game that a model's name stands for."""
    if model == "wgan-gp":
        return Game(generator, critic, wasserstein, has_gradient_penalty=True, r1=r1)
    return Game(generator, critic, cross_entropy, r1=r1)


def play(game: Game, batch: Batch, *, moves_generator: bool) -> Iterator[Update]:
    """Yield the critic's update of a batch, and if its turn has come the generator's, on the same noise.

    The images that the critic judged are made once and judged again by the critic that has stepped, as in the published
    code of DCGAN: the generator has not changed in between.

    Args:
        game: the networks and their losses.
        batch: `images` (N, C, H, W) uint8, `noise` (N, Z), `mix` (N,) in [0, 1], perhaps `classes` (N,) int64.
        moves_generator: whether the generator steps too.
    """
    real, classes = to_unit_range(batch["images"]), batch.get("classes")
    with torch.set_grad_enabled(moves_generator):
        made = game.generator(batch["noise"], classes)
    yield Update(CRITIC, critic_losses(game, real, made.detach(), batch["mix"], classes), len(real))
    if moves_generator:
        yield Update(GENERATOR, {GENERATOR: game.loss(game.critic(made, classes), is_real=True)}, len(real))


def critic_losses(game: Game, real: Tensor, made: Tensor, mix: Tensor, classes: Tensor | None) -> dict[str, Tensor]:
    """Return the critic's losses by name for real and made images, (N, C, H, W) in [-1, 1]."""
    if game.r1:
        real = real.requires_grad_()
    if game.critic.is_itemwise:  # one pass costs less than two
        both = None if classes is None else torch.cat([classes, classes])
        on_real, on_made = game.critic(torch.cat([real, made]), both).chunk(2)
    else:  # the statistics of a mixed batch would tell the critic less (Radford's code keeps the two apart)
        on_real, on_made = game.critic(real, classes), game.critic(made, classes)
    losses = {
        "critic_real": game.loss(on_real, is_real=True),
        "critic_fake": game.loss(on_made, is_real=False),
    }
    if game.has_gradient_penalty:
        penalty = gradient_penalty(lambda images: game.critic(images, classes), real, made, mix)
        losses["gradient_penalty"] = PENALTY_WEIGHT * penalty
    if game.r1:
        losses["r1"] = game.r1 * r1_penalty(on_real, real)
    return losses


def to_unit_range(images: Tensor) -> Tensor:
    """Return uint8 images as floats in [-1, 1]."""
    return images.float() / 127.5 - 1


def to_pixels(images: Tensor) -> Tensor:
    """Return images in [-1, 1] as uint8."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
