"""The options of images from noise."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import MAX_SEED, option
from dlcli.tasks.generation.networks import NETWORKS


@dataclass(frozen=True)
class GenerationConfig:
    """Options of `dl train` for a generator."""

    model: str = option("dcgan", "the networks", short="m", choices=tuple(NETWORKS), section="Network and data")
    size: int | None = option(
        None, "side of the images in pixels, 4 to 7 times a power of two (default: the data's, or 64)", minimum=1
    )
    latent: int = option(100, "numbers of noise from which an image is made", minimum=1, maximum=4096)
    width: int | None = option(
        None, "channels of the largest map; of gan, units of the narrowest layer", minimum=4, maximum=1024
    )
    conditional: bool = option(False, "make images of a requested class, from the classes of the data")
    n_critic: int | None = option(
        None, "steps of the critic for each of the generator (default: 1, of wgan-gp 5)", minimum=1, maximum=100
    )
    r1: float = option(
        0.0, "weight of a penalty on the critic's gradient at real images (not with wgan-gp)", minimum=0.0, maximum=1e6
    )
    max_bad: int = option(
        100, "stop when more than N images cannot be read", minimum=0, maximum=10**9, is_advanced=True
    )


@dataclass(frozen=True)
class GenerationInference:
    """What is drawn, and by what it is measured."""

    count: int = option(16, "images to make", minimum=1, maximum=1_000_000, commands=("predict",))
    seed: int = option(0, "seed of the noise", minimum=0, maximum=MAX_SEED, commands=("predict",))
    label: str | None = option(
        None, "the class to make images of (default: all in turn)", flag="class", commands=("predict",)
    )
    features: str | None = option(
        None, "weights of FID's Inception network, for kid and fid", metavar="FILE", commands=("eval",)
    )
    judge: str | None = option(
        None,
        "a run that classifies such images: what it makes of the generated ones",
        metavar="RUN",
        commands=("eval",),
    )
