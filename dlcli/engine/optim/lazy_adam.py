"""Adam that leaves the embedding rows that are not in a batch unchanged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adam import adam

BETAS, EPS = (0.9, 0.999), 1e-8
"""From Kingma & Ba 2014, arXiv:1412.6980."""


class LazyAdam(Optimizer):
    """Adam for dense gradients; for sparse gradients, only the rows in the gradient are updated.

    That differs from Adam, where a row without a gradient keeps moving with its momentum. It is the rule of
    `torch.optim.SparseAdam`, which does not accept dense gradients; the bias correction counts all steps, not those of
    the row.

    Args:
        groups: parameter groups; there is no weight decay, which would move every row.
        lr: the learning rate of groups that do not set one.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float) -> None:
        # `fused` makes load_state_dict move the step count to the parameter's device, where the kernel needs it.
        super().__init__(groups, {"lr": lr, "fused": True})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            with_gradient = [parameter for parameter in group["params"] if parameter.grad is not None]
            for parameter in with_gradient:
                self._prepare(parameter)
            _step_dense([p for p in with_gradient if not p.grad.is_sparse], self.state, group["lr"])
            for parameter in with_gradient:
                if parameter.grad.is_sparse:
                    _step_rows(parameter, parameter.grad.coalesce(), self.state[parameter], group["lr"])

    def _prepare(self, parameter: Tensor) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            state["mean"] = torch.zeros_like(parameter)
            state["square"] = torch.zeros_like(parameter)


def _step_dense(parameters: list[Tensor], states: Any, rate: float) -> None:
    if not parameters:
        return
    adam(
        parameters,
        [parameter.grad for parameter in parameters],  # type: ignore[misc]
        [states[parameter]["mean"] for parameter in parameters],
        [states[parameter]["square"] for parameter in parameters],
        [],
        [states[parameter]["step"] for parameter in parameters],
        fused=True,
        amsgrad=False,
        beta1=BETAS[0],
        beta2=BETAS[1],
        lr=rate,
        weight_decay=0.0,
        eps=EPS,
        maximize=False,
    )


def _step_rows(parameter: Tensor, gradient: Tensor, state: dict[str, Tensor], rate: float) -> None:
    """Update the rows in the coalesced gradient."""
    state["step"] += 1
    rows, values = gradient._indices()[0], gradient._values()
    mean = state["mean"].index_select(0, rows).lerp_(values, 1 - BETAS[0])
    square = state["square"].index_select(0, rows).mul_(BETAS[1]).addcmul_(values, values, value=1 - BETAS[1])
    state["mean"].index_copy_(0, rows, mean)
    state["square"].index_copy_(0, rows, square)
    step = int(state["step"])
    size = rate * math.sqrt(1 - BETAS[1] ** step) / (1 - BETAS[0] ** step)
    parameter.index_add_(0, rows, mean.div_(square.sqrt_().add_(EPS)), alpha=-size)
