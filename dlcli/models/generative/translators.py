"""The networks of an image translation: generators by direction, and the critics of the domains they translate to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from dlcli.models.generative.directions import A_TO_B, DOMAIN_OF
from dlcli.models.generative.initialise import initialise
from dlcli.models.generative.patch_critic import PatchCritic
from dlcli.models.generative.residual import ResidualGenerator
from dlcli.models.generative.resnet_generator import ResNetGenerator
from dlcli.models.generative.unet_generator import LEAST_DEPTH, UNetGenerator, unet_depth

RESNET_BLOCKS: Mapping[str, int] = {"resnet_6": 6, "resnet_9": 9}


def build_cyclegan(
    *,
    generator: str = "resnet_9",
    size: int = 256,
    width: int = 64,
    critic_width: int = 64,
    norm: str = "instance",
    upsampling: str = "transposed",
    residual: bool = False,
) -> nn.ModuleDict:
    """Return `generators` of both directions and `critics` of both domains.

    Source: Zhu et al. 2017, arXiv:1703.10593.

    Args:
        generator: resnet_6, resnet_9 or unet.
        size: side of the training images in pixels.
        width, critic_width: channels of the first maps of generators and critics.
        norm: instance or batch.
        upsampling: transposed or resize, of a resnet.
        residual: whether generators predict changes of images, see `ResidualGenerator`; not so in the paper.

    Raises:
        ValueError: the generator does not exist, or cannot halve images of this size.
    """
    build = _generator_builder(generator, size, width, norm, upsampling, dropout=False, residual=residual)
    return _initialised(
        {direction: build() for direction in DOMAIN_OF},
        {domain: PatchCritic(width=critic_width, norm=norm) for domain in sorted(DOMAIN_OF.values())},
    )


def build_pix2pix(
    *,
    generator: str = "unet",
    size: int = 256,
    width: int = 64,
    critic_width: int = 64,
    norm: str = "batch",
    upsampling: str = "transposed",
    residual: bool = False,
    direction: str = A_TO_B,
) -> nn.ModuleDict:
    """Return `generators` with the one of a direction, and `critics` with one that judges pairs.

    Source: Isola et al. 2017, arXiv:1611.07004.

    Args:
        generator, size, width, critic_width, norm, upsampling, residual: see `build_cyclegan`.
        direction: AtoB or BtoA.

    Raises:
        ValueError: the generator does not exist, or cannot halve images of this size.
    """
    build = _generator_builder(generator, size, width, norm, upsampling, dropout=True, residual=residual)
    critic = PatchCritic(6, width=critic_width, norm=norm)
    return _initialised({direction: build()}, {DOMAIN_OF[direction]: critic})


def stride_of(generator: str, size: int) -> int:
    """Return what sides of images must be multiples of for a generator that is trained on images of a size.

    Raises:
        ValueError: the generator does not exist, or cannot halve images of this size.
    """
    if generator in RESNET_BLOCKS:
        stride = ResNetGenerator.stride
    elif generator == "unet":
        stride = 2 ** (unet_depth(size) or LEAST_DEPTH)
    else:
        raise ValueError(f"no generator {generator!r}: choose {', '.join(RESNET_BLOCKS)} or unet")
    if size % stride:
        below = size // stride * stride
        fitting = f"use {below} or {below + stride}" if below else f"use {stride}"
        times = stride.bit_length() - 1
        raise ValueError(f"{generator} needs a multiple of {stride}, to be halved {times} times: {fitting}")
    return stride


def _generator_builder(
    generator: str, size: int, width: int, norm: str, upsampling: str, *, dropout: bool, residual: bool
) -> Callable[[], nn.Module]:
    stride = stride_of(generator, size)

    def build() -> nn.Module:
        if generator in RESNET_BLOCKS:
            return ResNetGenerator(blocks=RESNET_BLOCKS[generator], width=width, norm=norm, upsampling=upsampling)
        return UNetGenerator(depth=stride.bit_length() - 1, width=width, norm=norm, dropout=dropout)

    return (lambda: ResidualGenerator(build())) if residual else build


def _initialised(generators: Mapping[str, nn.Module], critics: Mapping[str, nn.Module]) -> nn.ModuleDict:
    networks = nn.ModuleDict({"generators": nn.ModuleDict(generators), "critics": nn.ModuleDict(critics)})
    initialise(networks)
    for generator in generators.values():
        if isinstance(generator, ResidualGenerator):
            generator.start_from_input()
    return networks
