"""Where a network is."""

from __future__ import annotations

import torch
from torch import nn


def device_of(network: nn.Module) -> torch.device:
    """Return the device of a network's parameters, on which its inputs must be; that of new tensors if it has none."""
    first = next(network.parameters(), None)
    return first.device if first is not None else torch.get_default_device()
