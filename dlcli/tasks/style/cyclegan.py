"""A training step of CycleGAN.

Source: Zhu et al. 2017, arXiv:1703.10593, sections 3 and 4, and the authors' code: first both generators step together,
then both critics, on the images made before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from dlcli.engine.task import Update
from dlcli.models.generative.directions import A_TO_B, B_TO_A
from dlcli.models.generative.gan_losses import GanLoss
from dlcli.models.generative.image_pool import ImagePool
from dlcli.tasks.style.passes import critic_loss, mean_distance, passes


def cyclegan_step(
    generators: nn.ModuleDict,
    critics: nn.ModuleDict,
    pools: Mapping[str, ImagePool],
    real_a: Tensor,
    real_b: Tensor,
    *,
    gan: GanLoss,
    cycle: float,
    identity: float,
) -> Iterator[Update]:
    """Yield the generators' update, then the critics'.

    Args:
        generators: direction -> network.
        critics: domain -> network.
        pools: domain -> made images of that domain, for its critic.
        real_a, real_b: (N, 3, H, W) images of the domains in [-1, 1].
        gan: the adversarial loss.
        cycle: weight of the distance between images and what comes back from the other domain.
        identity: weight, relative to `cycle`, of the change of images that are in the wanted domain already.
    """
    a_to_b, b_to_a = generators[A_TO_B], generators[B_TO_A]
    has_identity = cycle * identity > 0
    # Three batches in place of six passes; those of the second wait for the first.
    made_b, *same_b = passes(a_to_b, real_a, *([real_b] if has_identity else []))
    made_a, back_a, *same_a = passes(b_to_a, real_b, made_b, *([real_a] if has_identity else []))
    [back_b] = passes(a_to_b, made_a)
    losses = {
        "gan_ab": gan(critics["B"](made_b), is_real=True),
        "gan_ba": gan(critics["A"](made_a), is_real=True),
        "cycle_a": cycle * mean_distance(back_a, real_a),
        "cycle_b": cycle * mean_distance(back_b, real_b),
    }
    if has_identity:
        losses["identity_a"] = cycle * identity * mean_distance(same_a[0], real_a)
        losses["identity_b"] = cycle * identity * mean_distance(same_b[0], real_b)
    yield Update("generators", losses, len(real_a))
    made_b, made_a = pools["B"].exchange(made_b), pools["A"].exchange(made_a)
    losses = {
        "critic_b": critic_loss(critics["B"], real_b, made_b, gan),
        "critic_a": critic_loss(critics["A"], real_a, made_a, gan),
    }
    yield Update("critics", losses, len(real_a))
