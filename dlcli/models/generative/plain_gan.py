"""The plain GAN: two multilayer perceptrons (Goodfellow et al. 2014, arXiv:1406.2661)."""

from __future__ import annotations

import itertools

from torch import nn

from dlcli.models.generative.noise_nets import Critic, NoiseGenerator, noise_features

WIDTH = 128
"""Units of the narrowest hidden layer."""


def build_plain_generator(
    size: int = 28, channels: int = 1, *, latent: int = 100, width: int = WIDTH, num_classes: int = 0
) -> NoiseGenerator:
    """Return a generator of images (N, channels, size, size) with hidden layers of 1, 2 and 4 times `width` units."""
    sides = [noise_features(latent, num_classes), width, 2 * width, 4 * width]
    layers: list[nn.Module] = []
    for before, behind in itertools.pairwise(sides):
        layers += [nn.Linear(before, behind), nn.LeakyReLU(0.2)]
    pixels = [nn.Linear(sides[-1], channels * size**2), nn.Tanh(), nn.Unflatten(1, (channels, size, size))]
    return NoiseGenerator(nn.Sequential(*layers, *pixels), num_classes)


def build_plain_critic(size: int = 28, channels: int = 1, *, width: int = WIDTH, num_classes: int = 0) -> Critic:
    """Return a critic of images (N, channels, size, size) with hidden layers of 4, 2 and 1 times `width` units."""
    sides = [channels * size**2, 4 * width, 2 * width, width]
    layers: list[nn.Module] = [nn.Flatten()]
    for before, behind in itertools.pairwise(sides):
        layers += [nn.Linear(before, behind), nn.LeakyReLU(0.2)]
    return Critic(nn.Sequential(*layers), width, num_classes, is_itemwise=True)
