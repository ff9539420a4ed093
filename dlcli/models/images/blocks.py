"""The layer that all networks here consist of, and its initialisation."""

from __future__ import annotations

from torch import nn


def conv_norm_relu(in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1) -> nn.Sequential:
    """Return convolution, batch norm and ReLU, padded so that only the stride shrinks the map.

    The convolution has no bias, since the norm would subtract it (Ioffe & Szegedy 2015, arXiv:1502.03167, 3.2).

    Args:
        in_channels, out_channels: of the convolution.
        kernel_size: odd side of its filters.
        stride: of the convolution, in both directions.
    """
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def initialise(model: nn.Module) -> None:
    """Initialise all convolutions in place: normal weights of variance 2 / fan-in, which preserve the signal's scale.

    With torchvision's variance of 2 / fan-out, an untrained PeleeNet in eval mode gives logits in the thousands: its
    thin 1x1 convolutions have few outputs, and its norms have no statistics to divide by yet.

    Source: He et al. 2015, arXiv:1502.01852.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
