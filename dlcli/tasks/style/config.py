"""The options of image translation."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import MAX_SEED, option
from dlcli.models.generative.directions import DIRECTIONS
from dlcli.tasks.style.networks import NETWORKS

GENERATORS = ("resnet_6", "resnet_9", "unet")


@dataclass(frozen=True)
class StyleConfig:
    """Options of `dl train` for a translation; None is the default of the model, see `building.MODELS`."""

    model: str = option(
        "cyclegan", "cyclegan, or pix2pix for pairs", short="m", choices=tuple(NETWORKS), section="Network and data"
    )
    generator: str | None = option(
        None, "the generators (default: resnet_6; of pix2pix unet)", choices=GENERATORS, metavar="NAME"
    )
    image_size: int = option(128, "side of the training images in pixels", minimum=32, maximum=1024)
    width: int = option(32, "channels of a generator's first map", minimum=2, maximum=256)
    critic_width: int = option(64, "channels of a critic's first map", minimum=2, maximum=256, is_advanced=True)
    learn: str | None = option(None, "the direction that pix2pix learns (default: AtoB)", choices=DIRECTIONS)
    norm: str | None = option(
        None, "norm of all networks (default: instance)", choices=("instance", "batch"), is_advanced=True
    )
    upsampling: str | None = option(
        None,
        "upsampling of a resnet: transposed as published, or resize, which avoids checkerboard artifacts",
        choices=("transposed", "resize"),
        is_advanced=True,
    )
    residual: bool = option(
        False,
        "generators predict the change of an image, so that a short training keeps what is in it",
        is_advanced=True,
        is_on_in_recipes=True,
    )
    gan_loss: str | None = option(
        None, "the adversarial loss (default: lsgan; of pix2pix bce)", choices=("lsgan", "bce"), is_advanced=True
    )
    cycle_weight: float | None = option(
        None, "cyclegan: weight of the cycle-consistency loss (default: 10)", minimum=0.0, maximum=1e6
    )
    identity_weight: float | None = option(
        None,
        "cyclegan: weight of the identity loss, relative to --cycle-weight (published: 0.5)",
        minimum=0.0,
        maximum=1e6,
    )
    l1_weight: float | None = option(None, "pix2pix: weight of the L1 loss (default: 100)", minimum=0.0, maximum=1e6)
    pool: int | None = option(
        None,
        "cyclegan: size of the buffer of earlier translations for the critics (default: 50)",
        minimum=0,
        maximum=10_000,
        is_advanced=True,
    )
    load_size: int | None = option(
        None,
        "shorter side of training images before a random crop (default: 1.12 times --image-size)",
        minimum=32,
        maximum=2048,
        is_advanced=True,
    )
    flip: bool = option(True, "mirror half of the training images", is_advanced=True)
    cache: str = option(
        "ram", "where decoded images are kept between epochs", choices=("ram", "disk", "none"), is_advanced=True
    )
    max_bad: int = option(
        100, "stop when more than N images cannot be read", minimum=0, maximum=10**9, is_advanced=True
    )


@dataclass(frozen=True)
class StyleInference:
    """Inference options of a translation."""

    direction: str | None = option(
        None, "direction of a run that translates both ways (default: AtoB)", choices=DIRECTIONS
    )
    size: int | None = option(
        None,
        "scale the shorter side of an image to N pixels (default: its own size; in eval that of training)",
        minimum=8,
        maximum=4096,
        commands=("predict", "eval"),
    )
    dropout: int | None = option(
        None,
        "keep the dropout of pix2pix, drawn from this seed",
        metavar="SEED",
        minimum=0,
        maximum=MAX_SEED,
        commands=("predict", "eval"),
    )
    features: str | None = option(
        None, "weights of FID's Inception network, for kid and fid", metavar="FILE", commands=("eval",)
    )
    frame_step: int = option(1, "process every N-th frame of a film", minimum=1, maximum=10**6, commands=("predict",))
