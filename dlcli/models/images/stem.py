"""The check of a classifier's input.

Inputs of up to 64 pixels get a stem that keeps their resolution. A residual net with ImageNet's stem loses about seven
points on 32-pixel images (87.8 % on CIFAR-10, against 96.1 % when the same images are enlarged).
"""

from __future__ import annotations

import torch
from torch import Tensor

from dlcli.core.errors import UsageError

SMALL_IMAGE = 64
"""Images of at most this side, in pixels, get a stride-1 stem: CIFAR's 32 and Tiny ImageNet's 64."""

MIN_IMAGE = 28
"""MNIST's side, the minimum of every network here except the digit networks."""


class ImageSizeError(UsageError, ValueError):
    """An image is too small for a network; also a ValueError, for callers from Python."""


def check_image_size(network: str, image_size: int, minimum: int) -> None:
    """Check the image size, in pixels, for which a network is built.

    Raises:
        ImageSizeError: it is under the minimum.
    """
    if image_size < minimum:
        raise ImageSizeError(
            f"{network} needs images of at least {minimum} x {minimum} pixels, not {image_size} x {image_size}",
            hint=f"enlarge them with --image-size {minimum}, or use the network `cnn`",
        )


def check_images(network: str, images: Tensor, in_channels: int, minimum: int) -> None:
    """Check a batch of images before the first layer sees it.

    Args:
        network: name of the network, for the message.
        images: should be (N, in_channels, H, W).
        in_channels: number of channels that the first layer takes.
        minimum: minimum of H and W, in pixels.

    Raises:
        ImageSizeError: H or W is under the minimum.
        ValueError: the images have another shape.
    """
    # While tracing, the check would become part of the exported graph.
    if torch.jit.is_tracing() or torch.compiler.is_compiling():  # type: ignore[attr-defined, no-untyped-call]
        return
    shape = tuple(images.shape)
    if len(shape) != 4 or shape[1] != in_channels:
        raise ValueError(f"{network} takes images (N, {in_channels}, H, W), not {shape}")
    check_image_size(network, min(shape[2:]), minimum)
