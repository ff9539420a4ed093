"""Muon: steps of fixed size in every direction, independent of the gradient's scale.

The step of a matrix is its orthogonalised momentum, so that all directions move equally far, not just the strongest
(Jordan 2024, kellerjordan.github.io/posts/muon). It suits hidden layers; the head, biases and norms use their momentum
divided by its norm, which is what Muon does to a matrix with one column. On CIFAR-10 this is better for them than
AdamW, and as good as the plain SGD of airbench94_muon.py (github.com/KellerJordan/cifar10-airbench), whose rates fit
one network and one batch size; see docs/log.md.

A network with tables of vectors is stepped as language models are: a longer momentum, more iterations, and Adam for
what is not orthogonal, since most rows of a table have no gradient in a batch and need steps of a size of their own.

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

NUM_ITERATIONS, NUM_ITERATIONS_OF_WORDS = 3, 5
"""As in airbench94_muon.py, and for language models, whose gradients are farther from orthogonal (Jordan 2024)."""

MOMENTUM, MOMENTUM_OF_WORDS, REST_MOMENTUM = 0.6, 0.95, 0.85
"""Nesterov momentum of orthogonal steps (airbench94_muon.py; Jordan 2024), and of the others."""

BIAS_RATE, HEAD_RATE = 0.5, 3.2
"""Learning rates of biases and norms, and of the head, relative to Muon's; tuned on airnet (docs/log.md)."""

ADAM_RATE, ADAM_BETAS, ADAM_EPS = 0.05, (0.9, 0.98), 1e-9
"""Adam of what is not orthogonal beside tables: its rate relative to Muon's, and the values of Vaswani et al. 2017."""

EPS = 1e-7


class Muon(Optimizer):
    """Update each parameter by the rule of its group.

    Args:
        groups: parameter groups, each with `rule` ("orthogonal", "direction" or "adam"), `lr`, and `weight_decay`
            (decoupled, relative to `lr`). Orthogonal ones may have `momentum`, `iterations`, `is_by_shape` (steps of a
            matrix with more outputs than inputs are longer by the root of their ratio), and `is_rescaled`: before each
            step, rescale filters to a norm of sqrt(out). That does not change the output if a normalisation layer
            follows, and makes `lr` the relative change of the filters.
    """

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        image = {"momentum": MOMENTUM, "iterations": NUM_ITERATIONS, "is_by_shape": False, "is_rescaled": False}
        super().__init__(groups, image)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    step = _adam_step if group["rule"] == "adam" else _step
                    step(parameter, parameter.grad, self.state[parameter], group)


def _step(weight: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    is_orthogonal, rate = group["rule"] == "orthogonal", group["lr"]
    if not state:
        state["momentum"] = torch.zeros_like(gradient)
    keeps = group["momentum"] if is_orthogonal else REST_MOMENTUM
    momentum = state["momentum"].mul_(keeps).add_(gradient)
    ahead = gradient + keeps * momentum
    step = orthogonalised(ahead.flatten(1), group["iterations"]).view_as(weight) if is_orthogonal else direction(ahead)
    if group["is_rescaled"]:
        weight.mul_(math.sqrt(len(weight)) / weight.norm().clamp(min=EPS))
    length = math.sqrt(max(1.0, weight.shape[0] / weight[0].numel())) if group["is_by_shape"] else 1.0
    weight.mul_(1 - rate * group["weight_decay"]).sub_(step.to(weight), alpha=rate * length)


def _adam_step(weight: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not state:
        state.update(mean=torch.zeros_like(gradient), square=torch.zeros_like(gradient), steps=0)
    state["steps"] += 1
    forget, forget_square = ADAM_BETAS
    mean = state["mean"].lerp_(gradient, 1 - forget)
    square = state["square"].mul_(forget_square).addcmul_(gradient, gradient, value=1 - forget_square)
    size = (square / (1 - forget_square ** state["steps"])).sqrt_().add_(ADAM_EPS)
    rate = group["lr"]
    weight.mul_(1 - rate * group["weight_decay"])
    weight.addcdiv_(mean, size, value=-rate / (1 - forget ** state["steps"]))


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
    are rescaled and do not decay. In a network with tables of vectors, what is not orthogonal is stepped by Adam.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, (nn.Linear, nn.modules.conv._ConvNd))]
    inner = [layer for layer in layers[:-1] if isinstance(layer, nn.Linear) or layer.groups == 1]
    is_free = [not isinstance(layer, nn.Linear) and layer.bias is None for layer in inner]
    places = {id(layer.weight): 0 if free else 1 for layer, free in zip(inner, is_free, strict=True)}
    parts: list[list[Tensor]] = [[], [], [], []]
    for parameter in module.parameters():  # yields a shared weight once
        if parameter.requires_grad:
            parts[places.get(id(parameter), 2 if parameter.ndim >= 2 else 3)].append(parameter)
    inner_step: dict[str, Any] = {"rule": "orthogonal", "lr": lr}
    rest, rates = "direction", (lr * HEAD_RATE, lr * BIAS_RATE)
    if any(isinstance(layer, (nn.Embedding, nn.EmbeddingBag)) for layer in module.modules()):
        inner_step |= {"momentum": MOMENTUM_OF_WORDS, "iterations": NUM_ITERATIONS_OF_WORDS, "is_by_shape": True}
        rest, rates = "adam", (lr * ADAM_RATE, lr * ADAM_RATE)
    groups = [
        {**inner_step, "params": parts[0], "weight_decay": 0.0, "is_rescaled": True},
        {**inner_step, "params": parts[1], "weight_decay": weight_decay},
        {"rule": rest, "params": parts[2], "lr": rates[0], "weight_decay": weight_decay},
        {"rule": rest, "params": parts[3], "lr": rates[1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
