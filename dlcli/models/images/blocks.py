"""The layer that all networks here consist of, by the kinds of its norm and activation, and its initialisation."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from dlcli.models.layers import ACTIVATIONS, NONE, NORMS


@dataclass(frozen=True)
class Kinds:
    """The norm and the activation that a network has throughout.

    Attributes:
        norm, activation: names in `NORMS` and `ACTIVATIONS`.
    """

    norm: str = "batch"
    activation: str = "relu"

    @property
    def has_norm(self) -> bool:
        """Whether there is a norm, which makes the bias of a convolution before it needless."""
        return self.norm != NONE

    def make_norm(self, channels: int) -> nn.Module:
        """Return a new norm of (N, channels, H, W) maps."""
        return NORMS[self.norm](channels)

    def make_activation(self) -> nn.Module:
        """Return a new activation."""
        return ACTIVATIONS[self.activation]()


BATCH_RELU = Kinds()


def conv_norm_act(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    groups: int = 1,
    kinds: Kinds = BATCH_RELU,
) -> nn.Sequential:
    """Return convolution, norm and activation, padded so that only the stride shrinks the map.

    The convolution has no bias, since the norm would subtract it (Ioffe & Szegedy 2015, arXiv:1502.03167, 3.2).

    Args:
        in_channels, out_channels: of the convolution.
        kernel_size: odd side of its filters.
        stride: of the convolution, in both directions.
        groups: of channels that are convolved apart; as many as there are channels for a depthwise convolution.
        kinds: batch norm and ReLU by default.
    """
    padding, bias = kernel_size // 2, not kinds.has_norm
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=bias),
        kinds.make_norm(out_channels),
        kinds.make_activation(),
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
