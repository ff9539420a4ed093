"""The layer that our detectors consist of, and their precision under autocast."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NORM_EPS = 1e-3

NORM_MOMENTUM = 0.03
"""Of running statistics, as in YOLOX (Ge et al. 2021, arXiv:2107.08430): batches of eight images are noisy."""


def norm(channels: int) -> nn.BatchNorm2d:
    """Return a batch norm with the detectors' constants."""
    return nn.BatchNorm2d(channels, eps=NORM_EPS, momentum=NORM_MOMENTUM)


def conv_norm_silu(in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1) -> nn.Sequential:
    """Return convolution, batch norm and SiLU, padded so that only the stride shrinks the map.

    Args:
        in_channels, out_channels: of the convolution.
        kernel_size: odd side of its filters.
        stride: of the convolution, in both directions.
    """
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, bias=False),
        norm(out_channels),
        nn.SiLU(inplace=True),
    )


def in_full_precision(module: nn.Module, features: Tensor) -> Tensor:
    """Return the module's output computed in fp32, also under autocast."""
    device = features.device.type
    output: Tensor
    if torch.is_autocast_enabled(device):
        with torch.autocast(device, enabled=False):
            output = module(features.float())
    else:  # without the context, which an exporter would put into the graph
        output = module(features)
    return output
