"""Dividing and clipping gradients, dense ones and the sparse ones of embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def divide_gradients(parameters: Sequence[Tensor], by: float) -> None:
    """Divide every gradient in place; sparse gradients are replaced."""
    dense = [p.grad for p in parameters if p.grad is not None and not p.grad.is_sparse]
    if dense:
        torch._foreach_div_(dense, by)
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad = parameter.grad / by


def clip_gradients(parameters: Sequence[Tensor], max_norm: float) -> Tensor:
    """Clip the gradients to a total L2 norm of `max_norm` in place, and return the norm before clipping, a scalar.

    For dense gradients this equals `torch.nn.utils.clip_grad_norm_`, which does not support sparse ones.
    """
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()  # sum duplicate rows first
    norm = gradient_norm(parameters)
    values = [_values(parameter.grad) for parameter in parameters if parameter.grad is not None]
    if not values:
        return norm
    scale = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(values, scale)
    return norm


def gradient_norm(parameters: Sequence[Tensor]) -> Tensor:
    """Return the total L2 norm of the gradients, a scalar; rows that a sparse one names several times are summed."""
    values = [_values(parameter.grad) for parameter in parameters if parameter.grad is not None]
    if not values:
        return torch.zeros(())
    return torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(value) for value in values]))


def add_l1_gradients(parameters: Sequence[Tensor], penalty: float) -> None:
    """Add the gradient of `penalty` times the sum of the absolute weights, in place: of matrices and filters alone.

    Norms and biases are exempt, as from weight decay.
    """
    for parameter in parameters:
        if parameter.grad is not None and parameter.ndim >= 2:
            parameter.grad = parameter.grad.to_dense() if parameter.grad.is_sparse else parameter.grad
            parameter.grad.add_(parameter.detach().sign(), alpha=penalty)


def _values(gradient: Tensor) -> Tensor:
    """Return a gradient's numbers; those of a sparse one whose rows are summed already are its own, not a copy."""
    return gradient.coalesce()._values() if gradient.is_sparse else gradient
