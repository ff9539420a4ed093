"""Losses of multi-label classification: each is a mean over the labels of the batch, a float32 scalar."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcli.tasks.classes.losses import focal_terms

Loss = Callable[[Tensor, Tensor], Tensor]
"""((N, C) logits, (N, C) targets of 0 and 1) -> loss."""

FOCAL_GAMMA, FOCAL_ALPHA = 2.0, 0.25
NEGATIVE_GAMMA, MARGIN = 4.0, 0.05


def binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of each label."""
    return F.binary_cross_entropy_with_logits(logits.float(), targets.float())


def focal_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of each label, weighted by (1 - its probability)^2 so that easy ones count little.

    Source: Lin et al. 2017, arXiv:1708.02002, with its gamma 2 and alpha 0.25.
    """
    logits, targets = logits.float(), targets.float()
    terms = focal_terms(F.logsigmoid(torch.where(targets > 0, logits, -logits)), FOCAL_GAMMA)
    return (torch.where(targets > 0, FOCAL_ALPHA, 1 - FOCAL_ALPHA) * terms).mean()


def asymmetric_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return a loss that forgets the many easy absent labels, and those that may be missing from the annotation.

    An absent label's probability is lowered by 0.05 and its loss weighted by the 4th power of what remains; a present
    label has its cross-entropy.

    Source: Ridnik et al. 2020, arXiv:2009.14119, with its gamma+ 0, gamma- 4 and margin 0.05.
    """
    logits, targets = logits.float(), targets.float()
    shifted = (logits.sigmoid() - MARGIN).clamp(min=0)
    absent = shifted.detach() ** NEGATIVE_GAMMA * -torch.log1p(-shifted.clamp(max=1 - 1e-6))
    return (-targets * F.logsigmoid(logits) + (1 - targets) * absent).mean()


LOSSES: Mapping[str, Loss] = {"bce": binary_cross_entropy, "focal": focal_loss, "asymmetric": asymmetric_loss}
