"""The receptive field: how much of an image one unit of the last feature map sees, measured by gradient.

Luo et al. 2016, arXiv:1701.04128, trace it in the same way, but with the true weights, which shows how much each pixel
matters. Here the question is which pixels can matter at all, so anything that could hide one is removed first.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

_BRIGHT = 255.0
"""A value that stays positive after a network subtracts the mean of its pixels, so that no ReLU zeroes it."""

_PASSED_MODULES = tuple(
    f"torch.nn.modules.{name}" for name in ("activation", "batchnorm", "dropout", "instancenorm", "normalization")
)
"""torch's modules of elementwise and normalising layers."""

_ADAPTIVE = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)


def measure_receptive_field(model: nn.Module, images: Tensor) -> int | None:
    """Return the side, in pixels, of the square that the middle unit of the last feature map sees.

    The last feature map is the last layer output of more than one pixel, before any adaptive pooling.

    Args:
        model: is not changed.
        images: (1, C, H, W); only the shape matters.

    Returns:
        The side, or None if the square reaches the border of the image (it covers the input or is cut off by it), if
        there is no such map, and for networks with attention.
    """
    if any("Attention" in type(module).__name__ for module in model.modules()):
        return None
    probe = _transparent_copy(model)
    maps: list[Tensor] = []
    for module in _leaves(probe):
        module.register_forward_hook(lambda module, _inputs, output: _trace(module, output, maps))
    pixels = torch.full_like(images, _BRIGHT, dtype=torch.float32).requires_grad_()
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        probe(pixels)
        if not maps:
            return None
        unit = maps[-1][..., maps[-1].shape[-2] // 2, maps[-1].shape[-1] // 2].sum()
        [gradient] = torch.autograd.grad(unit, pixels)
    is_seen = gradient[0].ne(0).any(dim=0)
    sides = [_interior_extent(is_seen.any(dim=axis)) for axis in (1, 0)]
    return None if None in sides else max(side for side in sides if side is not None)


def _interior_extent(is_seen: Tensor) -> int | None:
    places = is_seen.nonzero().flatten().tolist()
    if not places or places[0] == 0 or places[-1] == len(is_seen) - 1:
        return None
    return int(places[-1] - places[0] + 1)


def _transparent_copy(model: nn.Module) -> nn.Module:
    """Return a copy in which every path from pixel to unit contributes to the gradient.

    Weights are positive constants, so that no two paths cancel out; max-pools, which pass the gradient to one pixel of
    their window, become average pools; norms and activations, which mix the whole map or zero negative values, become
    identities.
    """
    # Each parameter is one number expanded to its shape, so the copy takes no memory.
    memo: dict[int, Any] = {id(parameter): _constant(parameter) for parameter in model.parameters()}
    probe = copy.deepcopy(model, memo).eval()
    for name, module in list(probe.named_modules()):
        if isinstance(module, nn.MaxPool2d):
            average = nn.AvgPool2d(module.kernel_size, module.stride, module.padding, module.ceil_mode)
            probe.set_submodule(name, average)
        elif any(base.__module__ in _PASSED_MODULES for base in type(module).__mro__):
            probe.set_submodule(name, nn.Identity())
    return probe


def _constant(parameter: Tensor) -> nn.Parameter:
    # Weights average over their inputs, which keeps values near one; biases (1-D) are zero.
    value = parameter.shape[0] / parameter.numel() if parameter.ndim > 1 else 0.0
    number = torch.full_like(parameter.detach().flatten()[:1], value, dtype=torch.float32).squeeze()
    return nn.Parameter(number.expand(parameter.shape), requires_grad=False)


def _leaves(model: nn.Module) -> Iterator[nn.Module]:
    return (module for module in model.modules() if not any(True for _ in module.children()))


def _trace(module: nn.Module, output: Any, maps: list[Tensor]) -> None:
    if isinstance(output, Tensor) and output.ndim == 4 and output.requires_grad:
        if isinstance(module, nn.Conv2d):
            # After a hundred layers a border pixel's share underflows float32, so count paths instead of weighting.
            output.register_hook(lambda gradient: gradient.ne(0).to(gradient))  # type: ignore[no-untyped-call]
        if not isinstance(module, _ADAPTIVE) and min(output.shape[-2:]) > 1:
            maps.append(output)
