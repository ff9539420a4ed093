"""Muon: steps of fixed size in every direction, independent of the gradient's scale.

The step of a matrix is its orthogonalised momentum, so that all directions move equally far, not just the strongest
(Jordan 2024, kellerjordan.github.io/posts/muon). It suits hidden layers; the head, biases and norms use their momentum
divided by its norm, which is what Muon does to a matrix with one column. On CIFAR-10 this is better for them than
AdamW, and as good as the plain SGD of airbench94_muon.py (github.com/KellerJordan/cifar10-airbench), whose rates fit
one network and one batch size; see docs/log.md.

`torch.optim.Muon` supports only 2-D weights and does not rescale filters as airbench does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the iteration, chosen for speed: singular values end between 0.7 and 1.2, not at 1 (Jordan 2024)."""

NUM_ITERATIONS = 3
"""As in airbench94_muon.py; language models use five, since their gradients are farther from orthogonal."""

MOMENTUM, REST_MOMENTUM = 0.6, 0.85
"""Nesterov momentum of orthogonal steps and of the others (airbench94_muon.py)."""

BIAS_RATE, HEAD_RATE = 0.5, 3.2
"""Learning rates of biases and norms, and of the head, relative to Muon's; tuned on airnet (docs/log.md)."""

EPS = 1e-7


class Muon(Optimizer):
    """Update each parameter by the rule of its group.

    Args:
        groups: parameter groups, each with `rule` ("orthogonal" or "direction"), `lr`, `weight_decay` (decoupled,
            relative to `lr`), and `is_rescaled`: before each step, rescale filters to a norm of sqrt(out). That does
            not change the output if a normalisation layer follows, and makes `lr` the relative change of the filters.
    """

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        super().__init__(groups, {"is_rescaled": False})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    _step(parameter, parameter.grad, self.state[parameter], group)


def _step(weight: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    is_orthogonal, rate = group["rule"] == "orthogonal", group["lr"]
    if not state:
        state["momentum"] = torch.zeros_like(gradient)
    keeps = MOMENTUM if is_orthogonal else REST_MOMENTUM
    momentum = state["momentum"].mul_(keeps).add_(gradient)
    ahead = gradient + keeps * momentum
    step = orthogonalised(ahead.flatten(1)).view_as(weight) if is_orthogonal else direction(ahead)
    if group["is_rescaled"]:
        weight.mul_(math.sqrt(len(weight)) / weight.norm().clamp(min=EPS))
    weight.mul_(1 - rate * group["weight_decay"]).sub_(step.to(weight), alpha=rate)


def orthogonalised(matrix: Tensor, iterations: int = NUM_ITERATIONS) -> Tensor:
    """Return a matrix with the same singular vectors and singular values near 1 (except for those near 0).

    Args:
        matrix: (out, in) float.
        iterations: number of Newton-Schulz iterations.

    Returns:
        (out, in), in the dtype of `matrix`.

    Source: the quintic Newton-Schulz iteration of Jordan 2024.
    """
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if is_tall else matrix
    x = x / x.norm().clamp(min=EPS)  # no singular value exceeds the Frobenius norm
    a, b, c = NEWTON_SCHULZ
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if is_tall else x


def direction(step: Tensor) -> Tensor:
    """Return the step scaled so that inputs of size 1 change each output by at most about 1, at any width.

    That is a norm of sqrt(out / in), the bound of Bernstein 2025 (jeremybernste.in/writing/deriving-muon).

    Args:
        step: (out, in, ...) float; a vector, (out,), has one input.
    """
    fan_in = step[0].numel() if step.ndim > 1 else 1
    return step * (math.sqrt(step.shape[0] / fan_in) / step.norm().clamp(min=EPS))


def muon_groups(module: nn.Module, *, lr: float, weight_decay: float) -> list[dict[str, Any]]:
    """Return the trainable parameters in groups for `Muon`.

    Steps are orthogonal for ungrouped convolutions and linear layers, except for the last layer, which is the head. A
    convolution without a bias is assumed to be followed by normalisation, so that its scale has no effect: its filters
    are rescaled and do not decay.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, (nn.Linear, nn.modules.conv._ConvNd))]
    inner = [layer for layer in layers[:-1] if isinstance(layer, nn.Linear) or layer.groups == 1]
    is_free = [not isinstance(layer, nn.Linear) and layer.bias is None for layer in inner]
    places = {id(layer.weight): 0 if free else 1 for layer, free in zip(inner, is_free, strict=True)}
    parts: list[list[Tensor]] = [[], [], [], []]
    for parameter in module.parameters():  # yields a shared weight once
        if parameter.requires_grad:
            parts[places.get(id(parameter), 2 if parameter.ndim >= 2 else 3)].append(parameter)
    groups = [
        {"rule": "orthogonal", "params": parts[0], "lr": lr, "weight_decay": 0.0, "is_rescaled": True},
        {"rule": "orthogonal", "params": parts[1], "lr": lr, "weight_decay": weight_decay},
        {"rule": "direction", "params": parts[2], "lr": lr * HEAD_RATE, "weight_decay": weight_decay},
        {"rule": "direction", "params": parts[3], "lr": lr * BIAS_RATE, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
