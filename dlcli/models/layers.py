"""Norms of maps and activations by name: the one table that networks of all kinds choose from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from torch import nn

CHANNELS_PER_GROUP = 16
"""Of a group norm: as good as 32 groups in the paper's table 3, and still several channels in a narrow network."""

NONE = "none"


def _group_norm(channels: int) -> nn.Module:
    """Return a norm of groups of 16 channels, or of as many as divide both 16 and the channels."""
    return nn.GroupNorm(channels // math.gcd(CHANNELS_PER_GROUP, channels), channels)


NORMS: Mapping[str, Callable[[int], nn.Module]] = {
    # Ioffe & Szegedy 2015, arXiv:1502.03167.
    "batch": nn.BatchNorm2d,
    # Wu & He 2018, arXiv:1803.08494; "layer" (Ba et al. 2016, arXiv:1607.06450) is one group of all channels there,
    # "instance" (Ulyanov et al. 2016, arXiv:1607.08022) is groups of one channel. GroupNorm also takes maps of one
    # pixel, which torch's InstanceNorm2d refuses in training.
    "group": _group_norm,
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "instance": lambda channels: nn.GroupNorm(channels, channels),
    NONE: nn.Identity,
}
"""Name -> (channels) -> a norm of (N, C, H, W) maps; each has a learned scale and shift by channel."""

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    # A slope of 0.01 for negative values (Maas et al. 2013).
    "leaky": lambda: nn.LeakyReLU(inplace=True),
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}
"""Name -> () -> an activation."""
