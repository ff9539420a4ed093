"""A generator as a function from pixels to pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dlcli.engine.compute.device import Device


class Translator(nn.Module):
    """What answers and what is exported: a generator between pixels.

    Args:
        generator: images in [-1, 1] to images in [-1, 1].
    """

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 3, H, W) uint8 for (N, 3, H, W) uint8; H and W are multiples of the generator's stride."""
        made: Tensor = self.generator(scaled(images)).float()
        return ((made + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


class Generators(nn.Module):
    """The part of the networks that answers.

    Args:
        by_direction: direction -> generator.
    """

    def __init__(self, by_direction: nn.ModuleDict) -> None:
        super().__init__()
        self.by_direction = by_direction

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return images (N, 3, H, W) uint8 as each generator translates them, of the same shape."""
        return tuple(Translator(generator)(images) for generator in self.by_direction.values())


def scaled(images: Tensor) -> Tensor:
    """Return pixels in 0..255 as float32 in [-1, 1]."""
    return images.to(torch.float32) / 127.5 - 1


def has_dropout(network: nn.Module) -> bool:
    """Return whether a network drops values in training."""
    return any(isinstance(module, nn.Dropout) for module in network.modules())


def translate_with_dropout(translator: Translator, images: Tensor, seed: int) -> Tensor:
    """Return what the translator makes with its dropout; each image has the noise that it would have alone.

    Args:
        translator: is in evaluation mode otherwise.
        images: (N, 3, H, W) uint8.
        seed: of the noise.
    """
    made = []
    with Device(images.device).keeping_random(), _dropping(translator):
        for image in images.split(1):  # type: ignore[no-untyped-call]
            torch.manual_seed(seed)
            made.append(translator(image))
    return torch.cat(made)


@contextmanager
def _dropping(network: nn.Module) -> Iterator[None]:
    droppers = [module for module in network.modules() if isinstance(module, nn.Dropout)]
    before = [module.training for module in droppers]
    try:
        for module in droppers:
            module.train()
        yield
    finally:
        for module, was_training in zip(droppers, before, strict=True):
            module.train(was_training)
