"""How large activations and gradients are by layer: whether a signal arrives, and whether a gradient comes back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcli.visualize.figure import COLOURS, new_figure, plain_axes, set_texts, to_rgb
from dlcli.visualize.fonts import font_for

MOST_LAYERS = 160
"""More names would be unreadable; the picture then shows evenly spaced layers, the table all."""

TINY = 1e-30
"""Stands for a zero on a logarithmic axis."""


@dataclass(frozen=True)
class LayerFlow:
    """The root mean squares of one layer on one batch.

    Attributes:
        name: the layer's name.
        kind: the module's class name.
        activation: of the values of its output.
        gradient: of the loss with respect to these; 0 if it does not depend on them, or if nothing up to here learns.
        weight_gradient: of the gradient of its weights; 0 likewise, and for weights that are frozen.
        weight: of its weights.
    """

    name: str
    kind: str
    activation: float
    gradient: float
    weight_gradient: float
    weight: float


@dataclass
class _Squares:
    """A sum of squares of values, and how many there were."""

    total: float = 0.0
    count: int = 0

    def add(self, values: Tensor) -> None:
        self.total += float(values.detach().double().square().sum())
        self.count += values.numel()

    @property
    def root(self) -> float:
        return math.sqrt(self.total / self.count) if self.count else 0.0


@dataclass
class _Seen:
    """What one layer has shown so far."""

    activation: _Squares = field(default_factory=_Squares)
    gradient: _Squares = field(default_factory=_Squares)


def measure_flow(model: nn.Module, compute_loss: Callable[[], Tensor]) -> list[LayerFlow]:
    """Return the layers with weights in calling order; of one that is called several times all calls together.

    Parameters get no gradients, but batch norms in training mode update their statistics.

    Args:
        model: in the mode in which it is to be measured.
        compute_loss: calls the model and returns a scalar.
    """
    seen: dict[str, _Seen] = {}
    layers = dict(_weighted(model))
    with ExitStack() as hooks, torch.enable_grad():
        for name, module in layers.items():
            handle = module.register_forward_hook(
                lambda _module, _inputs, output, name=name: _watch(output, seen.setdefault(name, _Seen()))
            )
            hooks.callback(handle.remove)
        loss = compute_loss()
        weights = [weight for name in seen for weight in _weights(layers[name]) if weight.requires_grad]
        found = torch.autograd.grad(loss, weights, allow_unused=True) if weights else ()
    gradients = {id(weight): gradient for weight, gradient in zip(weights, found, strict=True)}
    flows = []
    for name, each in seen.items():
        weight, weight_gradient = _Squares(), _Squares()
        for values in _weights(layers[name]):
            weight.add(values)
            gradient = gradients.get(id(values))
            weight_gradient.add(gradient.to_dense() if gradient is not None else torch.zeros(values.shape))
        kind = type(layers[name]).__name__
        flows.append(LayerFlow(name, kind, each.activation.root, each.gradient.root, weight_gradient.root, weight.root))
    return flows


def _weighted(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules without modules inside that have a weight of at least two axes, unlike norms."""
    for name, module in model.named_modules():
        if not any(True for _ in module.children()) and any(True for _ in _weights(module)):
            yield name, module


def _weights(module: nn.Module) -> Iterator[nn.Parameter]:
    return (parameter for parameter in module.parameters() if parameter.ndim > 1)


def _watch(output: Any, seen: _Seen) -> None:
    values = output[0] if isinstance(output, (tuple, list)) else output
    if not isinstance(values, Tensor) or not values.is_floating_point():
        return
    seen.activation.add(values)
    if values.requires_grad:
        # Before a layer after it changes the values in place: the hook stays with the values of now.
        values.register_hook(seen.gradient.add)  # type: ignore[no-untyped-call]


def draw_flow(flows: Sequence[LayerFlow], *, title: str, texts: Sequence[str] = ()) -> np.ndarray:
    """Return two curves over the layers: activations and gradients, and how large a layer's gradient is to its weights.

    Args:
        flows: the layers in calling order.
        title: the heading.
        texts: names in the picture for which the font is chosen, besides those of the layers.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    places = np.unique(np.linspace(0, len(flows) - 1, min(len(flows), MOST_LAYERS)).round().astype(int))
    shown = [flows[place] for place in places]
    names = [flow.name for flow in shown]
    figure = new_figure(max(900, 140 + 22 * len(shown)), 900)
    above, below = figure.subplots(2, 1, sharex=True)
    for axes, curves in (
        (above, (("activations", "activation"), ("gradient of the loss", "gradient"))),
        (below, (("gradient of weights / weights", "ratio"),)),
    ):
        plain_axes(axes)
        for index, (label, which) in enumerate(curves):
            values = [_value(flow, which) for flow in shown]
            colour = COLOURS[index if axes is above else 2]
            axes.plot(range(len(shown)), values, "o-", markersize=3.5, linewidth=1.3, color=colour, label=label)
        axes.set_yscale("log")
        axes.tick_params(axis="y", which="both", labelsize=8)  # within one decade the steps between powers are labelled
        axes.legend(fontsize=8, frameon=False)
        axes.set_ylabel("root mean square", fontsize=9)
    below.set_ylabel("ratio of norms", fontsize=9)
    below.set_xticks(range(len(shown)), labels=names, rotation=90)
    heading = above.set_title(title, loc="left")
    font = font_for([title, *names, *texts])
    set_texts([heading], font, 11)
    set_texts(below.get_xticklabels(), font, 7)
    return to_rgb(figure)


def _value(flow: LayerFlow, which: str) -> float:
    ratio = flow.weight_gradient / flow.weight if flow.weight else 0.0
    return max({"activation": flow.activation, "gradient": flow.gradient, "ratio": ratio}[which], TINY)
