"""The options of images from noise."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import MAX_SEED, option
from dlcli.tasks.generation.networks import NETWORKS


@dataclass(frozen=True)
class GenerationConfig:
    """Options of `dl train` for a generator."""

    model: str = option("dcgan", "generator and critic", short="m", choices=tuple(NETWORKS), section="Network and data")
    size: int | None = option(
        None, "side of the images in pixels, 4 to 7 times a power of two (default: the data's, or 64)", minimum=1
    )
    latent: int = option(100, "size of the noise vector of an image", minimum=1, maximum=4096)
    width: int | None = option(
        None, "channels of the largest map; of gan, units of the narrowest layer", minimum=4, maximum=1024
    )
    conditional: bool = option(False, "condition both networks on the classes of the data")
    n_critic: int | None = option(
        None, "critic steps per generator step (default: 1; for wgan-gp 5)", minimum=1, maximum=100
    )
    r1: float = option(
        0.0, "weight of the R1 gradient penalty on real images (not with wgan-gp)", minimum=0.0, maximum=1e6
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
        "classifier run that labels the generated images",
        metavar="RUN",
        commands=("eval",),
    )
