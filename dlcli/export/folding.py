"""Batch norms folded into the convolution or linear layer before them: fewer operators, equal answers.

In evaluation a batch norm multiplies each channel by one number and adds another, which the layer before it can do
itself (Jacob et al. 2017, arXiv:1712.05877, section 3.2).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from dlcli.export.plan import Graph

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_LARGEST_CHANGE = 1e-3
"""Relative; folding rounds in the seventh digit, and a wrong pair changes the first."""


def fold_norms(module: nn.Module, graph: Graph) -> nn.Module:
    """Fold what can be folded, in place, and return the module; which layer feeds which is seen in one call.

    A norm stays where its input is not the output of a convolution or linear layer that only it takes, or where one of
    the two is called more than once. A pair whose folding changes the outputs, because something else takes the
    convolution's output too, is put back.

    Args:
        module: in evaluation mode, on the CPU; it is changed.
        graph: with the example on which it is called.
    """
    inputs = [graph.example[name].cpu() for name in graph.inputs]
    pairs = _pairs(module, inputs)
    with torch.no_grad():
        before = _outputs(module, inputs)
        if pairs and _is_close(before, _outputs_with(module, pairs, inputs)):
            return module
        _restore(module, pairs)  # one of them is wrong: find it
        kept: list[_Pair] = []
        for pair in pairs:
            if not _is_close(before, _outputs_with(module, [*kept, pair], inputs)):
                _restore(module, [pair])
            else:
                kept.append(pair)
    return module


def count_norms(module: nn.Module) -> int:
    """Return how many batch norms a network has."""
    return sum(isinstance(each, NORMS) for each in module.modules())


class _Pair:
    """A layer and the norm behind it, by their names, as they are and as one layer."""

    def __init__(self, names: tuple[str, str], layer: nn.Module, norm: nn.Module) -> None:
        self.names = names
        self.whole = (layer, norm)
        fuse: Any = fuse_conv_bn_eval if isinstance(layer, _CONVOLUTIONS) else fuse_linear_bn_eval
        self.folded = (fuse(layer, norm), nn.Identity())


def _pairs(module: nn.Module, inputs: list[torch.Tensor]) -> list[_Pair]:
    names = {each: name for name, each in module.named_modules()}
    made: dict[int, tuple[nn.Module, torch.Tensor]] = {}  # the tensors are kept, so that no id is used twice
    calls: Counter[nn.Module] = Counter()
    found: list[tuple[nn.Module, nn.Module]] = []

    def after_layer(layer: nn.Module, _args: Any, output: torch.Tensor) -> None:
        calls[layer] += 1
        made[id(output)] = layer, output

    def before_norm(norm: nn.Module, args: Any) -> None:
        calls[norm] += 1
        if id(args[0]) in made:
            found.append((made[id(args[0])][0], norm))

    hooks = []
    for each in names:
        if isinstance(each, (*_CONVOLUTIONS, nn.Linear)):
            hooks.append(each.register_forward_hook(after_layer))
        elif isinstance(each, NORMS) and each.running_mean is not None:
            hooks.append(each.register_forward_pre_hook(before_norm))
    try:
        with torch.no_grad():
            module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return [_Pair((names[layer], names[norm]), layer, norm) for layer, norm in found if _fits(layer, norm, calls)]


def _fits(layer: nn.Module, norm: nn.Module, calls: Counter[nn.Module]) -> bool:
    # A linear layer of sequences has its features last, a norm its channels second.
    is_linear = isinstance(layer, nn.Linear) and not isinstance(norm, nn.BatchNorm1d)
    return calls[layer] == calls[norm] == 1 and not is_linear


def _set(module: nn.Module, names: tuple[str, str], layers: tuple[nn.Module, nn.Module]) -> None:
    for name, layer in zip(names, layers, strict=True):
        module.set_submodule(name, layer)


def _restore(module: nn.Module, pairs: list[_Pair]) -> None:
    for pair in pairs:
        _set(module, pair.names, pair.whole)


def _outputs_with(module: nn.Module, pairs: list[_Pair], inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    for pair in pairs:
        _set(module, pair.names, pair.folded)
    return _outputs(module, inputs)


def _outputs(module: nn.Module, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    values = module(*inputs)
    return [value.double() for value in (values if isinstance(values, tuple) else (values,))]


def _is_close(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(
        a.shape == b.shape and torch.allclose(a, b, rtol=_LARGEST_CHANGE, atol=_LARGEST_CHANGE * float(a.abs().max()))
        for a, b in zip(one, other, strict=True)
    )
