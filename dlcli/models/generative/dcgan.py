"""Convolutional generators from noise, and their critics (Radford et al. 2016, arXiv:1511.06434)."""

from __future__ import annotations

from torch import nn

from dlcli.models.generative.initialise import initialise
from dlcli.models.generative.noise_nets import Critic, NoiseGenerator, doublings, noise_features

WIDTH = 64
"""Channels of the largest map; the paper has 128 in the generator, its published code 64 in both networks."""


def build_dcgan_generator(
    size: int = 28, channels: int = 1, *, latent: int = 100, width: int = WIDTH, num_classes: int = 0
) -> NoiseGenerator:
    """Return a generator of images (N, channels, size, size): transposed convolutions, batch norm, ReLU, and tanh.

    The noise becomes a map of 4 to 7 pixels, which doubles up to `size`; channels halve down to `width`.

    Raises:
        UsageError: no map of 4 to 7 pixels doubles to this size.
    """
    start, steps = doublings(size)
    inner = width << (steps - 1)
    features = noise_features(latent, num_classes)
    layers: list[nn.Module] = [
        nn.Unflatten(1, (features, 1, 1)),
        nn.ConvTranspose2d(features, inner, start, bias=False),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
    ]
    for _ in range(steps - 1):
        layers += [
            nn.ConvTranspose2d(inner, inner // 2, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(inner // 2),
            nn.ReLU(),
        ]
        inner //= 2
    layers += [nn.ConvTranspose2d(inner, channels, 4, stride=2, padding=1), nn.Tanh()]
    generator = NoiseGenerator(nn.Sequential(*layers), num_classes)
    initialise(generator)
    return generator


def build_dcgan_critic(size: int = 28, channels: int = 1, *, width: int = WIDTH, num_classes: int = 0) -> Critic:
    """Return a critic of images (N, channels, size, size): strided convolutions, batch norm, leaky ReLU.

    Raises:
        UsageError: the size does not halve down to a map of 4 to 7 pixels.
    """
    return _critic(size, channels, width, num_classes, has_norm=True)


def build_wasserstein_critic(size: int = 28, channels: int = 1, *, width: int = WIDTH, num_classes: int = 0) -> Critic:
    """Return the same critic without batch norm, since the gradient penalty is on single images.

    Source: Gulrajani et al. 2017, arXiv:1704.00028, section 4.

    Raises:
        UsageError: the size does not halve down to a map of 4 to 7 pixels.
    """
    return _critic(size, channels, width, num_classes, has_norm=False)


def _critic(size: int, channels: int, width: int, num_classes: int, *, has_norm: bool) -> Critic:
    start, steps = doublings(size)
    layers: list[nn.Module] = []
    before, behind = channels, width
    for step in range(steps):
        is_normed = has_norm and step > 0  # not on the pixels themselves: section 3 of the paper
        layers.append(nn.Conv2d(before, behind, 4, stride=2, padding=1, bias=not is_normed))
        layers += [nn.BatchNorm2d(behind)] if is_normed else []
        layers.append(nn.LeakyReLU(0.2))
        before, behind = behind, 2 * behind
    critic = Critic(
        nn.Sequential(*layers, nn.Flatten()),
        before * start**2,
        num_classes,
        is_itemwise=not any(isinstance(layer, nn.BatchNorm2d) for layer in layers),
    )
    initialise(critic)
    return critic
