"""Losses of boxes by name, and the focal loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision import ops

from dlcli.core.errors import UsageError, did_you_mean

BoxLoss = Callable[[Tensor, Tensor], Tensor]
"""(K, 4) predictions and (K, 4) targets -> (K,) losses."""


def l1(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the sum of the four absolute differences, (K,)."""
    return (predictions - targets).abs().sum(-1)


def smooth_l1(predictions: Tensor, targets: Tensor, *, beta: float = 1.0) -> Tensor:
    """Return the sum of four Huber losses, (K,): d^2 / (2 beta) below beta, d - beta / 2 above.

    Source: Girshick 2015, arXiv:1504.08083, with beta 1; Faster R-CNN's region proposals have 1/9.
    """
    return F.smooth_l1_loss(predictions, targets, reduction="none", beta=beta).sum(-1)


def balanced_l1(predictions: Tensor, targets: Tensor, *, alpha: float = 0.5, gamma: float = 1.5) -> Tensor:
    """Return the sum of four balanced L1 losses, (K,), whose gradient is larger than L1's for small differences.

    The gradient is alpha ln(b d + 1) below 1, and gamma above, where b makes the two meet.

    Source: Libra R-CNN (Pang et al. 2019, arXiv:1904.02701, eq. 9).
    """
    b = math.expm1(gamma / alpha)
    distances = (predictions - targets).abs()
    near = alpha / b * (b * distances + 1) * torch.log1p(b * distances) - alpha * distances
    far = gamma * distances + gamma / b - alpha
    return torch.where(distances < 1, near, far).sum(-1)


BOX_LOSSES: Mapping[str, BoxLoss] = {
    "giou": ops.generalized_box_iou_loss,
    "diou": ops.distance_box_iou_loss,
    "ciou": ops.complete_box_iou_loss,
    "l1": l1,
    "smooth_l1": smooth_l1,
    "balanced_l1": balanced_l1,
}
"""Name -> loss. Those by overlap (Rezatofighi et al. 2019, arXiv:1902.09630; Zheng et al. 2020, arXiv:1911.08287) take
boxes xyxy of any unit, the others differences in the unit of the network's outputs."""


def box_loss(name: str) -> BoxLoss:
    """Return the loss of this name.

    Raises:
        UsageError: there is none.
    """
    if name not in BOX_LOSSES:
        raise UsageError(f"no box loss {name!r}", hint=did_you_mean(name, BOX_LOSSES))
    return BOX_LOSSES[name]


def binary_focal(logits: Tensor, targets: Tensor, *, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Return binary cross entropy that counts little where the answer is right already; the shape of `logits`.

    Args:
        logits, targets: of equal shape; targets in [0, 1].
        alpha: weight of the positives, 1 - alpha that of the negatives; -1 weighs both alike.
        gamma: exponent of the missing probability.

    Source: Lin et al. 2017, arXiv:1708.02002.
    """
    loss: Tensor = ops.sigmoid_focal_loss(logits, targets, alpha=alpha, gamma=gamma, reduction="none")
    return loss
