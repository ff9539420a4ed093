"""The networks that the options name, and what the options must not ask of them."""

from __future__ import annotations

from dlcli.core.errors import UsageError
from dlcli.data.card import Card
from dlcli.models.generative.dcgan import WIDTH as DCGAN_WIDTH
from dlcli.models.generative.dcgan import build_dcgan_critic, build_dcgan_generator, build_wasserstein_critic
from dlcli.models.generative.noise_nets import SIDES, Critic, NoiseGenerator, doublings
from dlcli.models.generative.plain_gan import WIDTH as PLAIN_WIDTH
from dlcli.models.generative.plain_gan import build_plain_critic, build_plain_generator
from dlcli.tasks.generation.config import GenerationConfig
from dlcli.tasks.generation.sampling import Sampling

LARGE_SIZE = 64
"""Side of the images in pixels where the data's differ or are larger: what DCGAN was published for."""

_CRITICS = {"gan": build_plain_critic, "dcgan": build_dcgan_critic, "wgan-gp": build_wasserstein_critic}


def build_networks(config: GenerationConfig, sampling: Sampling, num_classes: int) -> tuple[NoiseGenerator, Critic]:
    """Return the generator and the critic that the options name.

    Args:
        config: the options.
        sampling: the shapes of noise and images.
        num_classes: 0 for unconditional ones.

    Raises:
        UsageError: the size is not one of the networks, or an option does not act on them.
    """
    doublings(sampling.size)
    if config.r1 and config.model == "wgan-gp":
        raise UsageError(
            "--r1: wgan-gp's critic has a gradient penalty already", hint="leave it out, or choose --model dcgan"
        )
    is_plain = config.model == "gan"
    shape = (sampling.size, sampling.channels)
    width = config.width or (PLAIN_WIDTH if is_plain else DCGAN_WIDTH)
    build = build_plain_generator if is_plain else build_dcgan_generator
    generator = build(*shape, latent=sampling.latent, width=width, num_classes=num_classes)
    critic = _CRITICS[config.model](*shape, width=width, num_classes=num_classes)
    return generator, critic


def critic_steps(config: GenerationConfig) -> int:
    """Return the steps of the critic for each of the generator: 5 of a Wasserstein one, as Gulrajani et al. 2017."""
    return config.n_critic or (5 if config.model == "wgan-gp" else 1)


def side_of(config: GenerationConfig, card: Card) -> int:
    """Return the side of the images to make, in pixels: by default the data's, if its images are small and alike.

    Args:
        config: the options.
        card: of the data, whose `image_size` is the height and width of its images if all are equal, else None.

    Raises:
        UsageError: the requested side is not one of the networks.
    """
    if config.size is not None:
        doublings(config.size)
        return config.size
    own_size = card.details.get("image_size")
    if own_size is None or min(own_size) > LARGE_SIZE:
        return LARGE_SIZE
    return min(side for side in SIDES if side >= min(own_size))
