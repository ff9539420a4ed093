"""The losses of an adversarial training, as functions of a critic's judgements.

Each is used by both sides: a critic minimises `loss(critic(real), is_real=True) + loss(critic(made), is_real=False)`,
its generator `loss(critic(made), is_real=True)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch.nn.functional as F
from torch import Tensor


def least_squares(judgements: Tensor, *, is_real: bool) -> Tensor:
    """Return the mean squared distance of judgements of any shape from 1 for real images, from 0 for made ones.

    Source: Mao et al. 2017, arXiv:1611.04076.
    """
    judgements = judgements.float()
    return (judgements - 1).square().mean() if is_real else judgements.square().mean()


def cross_entropy(logits: Tensor, *, is_real: bool) -> Tensor:
    """Return the mean binary cross-entropy of logits of any shape; a generator's is the non-saturating loss.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, section 3.
    """
    logits = logits.float()
    return F.softplus(-logits if is_real else logits).mean()


def wasserstein(judgements: Tensor, *, is_real: bool) -> Tensor:
    """Return the mean judgement, negated for real images.

    Source: Arjovsky et al. 2017, arXiv:1701.07875.
    """
    mean = judgements.float().mean()
    return -mean if is_real else mean


GanLoss = Callable[..., Tensor]
"""(judgements, is_real=...) -> scalar."""

GAN_LOSSES: Mapping[str, GanLoss] = {"lsgan": least_squares, "bce": cross_entropy, "wgan": wasserstein}
