"""The dropout rate of a network that has dropout."""

from __future__ import annotations

from torch import nn

from dlcli.core.errors import UsageError

_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


def set_dropout(network: nn.Module, rate: float, name: str) -> None:
    """Set the rate of every dropout layer, in place.

    Args:
        network: the network.
        rate: the probability with which an activation is dropped, 0 to 1.
        name: the network's name, for the message.

    Raises:
        UsageError: the network has no dropout layer.
    """
    layers = [module for module in network.modules() if isinstance(module, _DROPOUTS)]
    if not layers:
        raise UsageError(f"--dropout: {name} has no dropout", hint="leave it out, or use --weight-decay")
    for layer in layers:
        layer.p = rate
