"""The two ends of a classifier: the check of its input, and its head.

Inputs of up to 64 pixels get a stem that keeps their resolution. A residual net with ImageNet's stem loses about seven
points on 32-pixel images (87.8 % on CIFAR-10, against 96.1 % when the same images are enlarged).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.models.modes import evaluating

SMALL_IMAGE = 64
"""Images of at most this side, in pixels, get a stride-1 stem: CIFAR's 32 and Tiny ImageNet's 64."""

MIN_IMAGE = 28
"""MNIST's side, the minimum of every network here except the digit networks."""

HEAD_NAMES = frozenset({"head", "heads", "classifier", "fc"})
"""Names of the part after the features, here and in torchvision."""


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


def head_of(model: nn.Module) -> nn.Module:
    """Return the last layer of a classifier, which computes the logits: a Linear, in SqueezeNet a Conv2d.

    Raises:
        ValueError: no such layer has a name in `HEAD_NAMES`.
    """
    return model.get_submodule(head_name(model))


def head_name(model: nn.Module) -> str:
    """Return the dotted name of the layer that `head_of` returns.

    Raises:
        ValueError: there is no such layer.
    """
    found = [
        name
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, nn.Conv2d)) and HEAD_NAMES.intersection(name.split("."))
    ]
    if not found:
        raise ValueError(f"{type(model).__name__} has no layer named {', '.join(sorted(HEAD_NAMES))}")
    return str(found[-1])


def head_inputs(model: nn.Module, images: Tensor) -> Tensor:
    """Return what the head of a classifier sees, (N, F), computed in evaluation mode without gradients.

    Args:
        model: (N, C, H, W) images -> (N, K) logits.
        images: (N, C, H, W), as the model takes them.

    Raises:
        ValueError: the model has no head, or does something else after it, so that it is no function of these.
    """
    head, seen = head_of(model), list[Tensor]()
    hook = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        with evaluating(model), torch.no_grad():
            logits = model(images)
    finally:
        hook.remove()
    with torch.no_grad():
        if seen[-1].ndim != 2 or not torch.equal(head(seen[-1]), logits):
            raise ValueError("the head is not the last layer")
    return seen[-1]
