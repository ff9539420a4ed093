"""Penalties on a critic's gradient with respect to images; they are differentiated twice."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def gradient_penalty(judge: Callable[[Tensor], Tensor], real: Tensor, made: Tensor, mix: Tensor) -> Tensor:
    """Return the mean squared distance from 1 of the gradient's norm at points between real and made images, a scalar.

    Source: Gulrajani et al. 2017, arXiv:1704.00028, algorithm 1, without the weight lambda.

    Args:
        judge: images (N, C, H, W) -> judgements (N,), each of its image alone.
        real, made: (N, C, H, W).
        mix: (N,) in [0, 1], the share of the real image in each point.
    """
    share = mix.view(-1, *(1,) * (real.ndim - 1))
    between = (share * real + (1 - share) * made).detach().requires_grad_()
    norms = image_gradients(judge(between), between).flatten(1).norm(2, dim=1)
    penalty: Tensor = (norms - 1).square().mean()
    return penalty


def r1_penalty(judgements: Tensor, images: Tensor) -> Tensor:
    """Return half of the mean squared norm of a critic's gradient at real images, a scalar.

    Source: Mescheder et al. 2018, arXiv:1801.04406, equation 9, without the weight gamma.

    Args:
        judgements: (N,), computed from `images`.
        images: (N, C, H, W), which require a gradient.
    """
    return image_gradients(judgements, images).flatten(1).square().sum(1).mean() / 2


def image_gradients(judgements: Tensor, images: Tensor) -> Tensor:
    """Return the gradient of the summed judgements with respect to the images, in float32, differentiable again."""
    [gradients] = torch.autograd.grad(judgements.float().sum(), images, create_graph=True)
    return gradients.float()
