"""Gradients of a step, dense ones and those of embeddings that name only the rows of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def divide_gradients(parameters: Sequence[Tensor], by: float) -> None:
    """Divide every gradient in place."""
    dense = [p.grad for p in parameters if p.grad is not None and not p.grad.is_sparse]
    if dense:
        torch._foreach_div_(dense, by)
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad = parameter.grad / by


def clip_gradients(parameters: Sequence[Tensor], max_norm: float) -> Tensor:
    """Scale the gradients so that their norm is at most `max_norm`, and return the norm that they had.

    Of dense gradients it is `torch.nn.utils.clip_grad_norm_`, which takes no sparse ones.
    """
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()  # a row that is named twice counts with its sum
    values = [_values(parameter.grad) for parameter in parameters if parameter.grad is not None]
    if not values:
        return torch.zeros(())
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(value) for value in values]))
    scale = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(values, scale)
    return norm


def _values(gradient: Tensor) -> Tensor:
    return gradient._values() if gradient.is_sparse else gradient
