from __future__ import annotations

import math

import pytest
import torch

from dlcli.tasks.multilabel.config import LOSSES as NAMES
from dlcli.tasks.multilabel.losses import LOSSES, asymmetric_loss, binary_cross_entropy, focal_loss


def logit(probability):
    return math.log(probability / (1 - probability))


LOGITS = torch.tensor([[logit(0.8), logit(0.3)], [logit(0.04), logit(0.6)]])
TARGETS = torch.tensor([[1.0, 0.0], [0.0, 1.0]])


def test_each_choice_has_its_loss_and_none_more():
    assert tuple(LOSSES) == NAMES


def test_values_worked_by_hand():
    entropies = [-math.log(p) for p in (0.8, 0.7, 0.96, 0.6)]
    assert float(binary_cross_entropy(LOGITS, TARGETS)) == pytest.approx(sum(entropies) / 4, rel=1e-6)
    weights = [0.25 * 0.2**2, 0.75 * 0.3**2, 0.75 * 0.04**2, 0.25 * 0.4**2]
    expected = sum(weight * entropy for weight, entropy in zip(weights, entropies, strict=True)) / 4
    assert float(focal_loss(LOGITS, TARGETS)) == pytest.approx(expected, rel=1e-5)
    # An absent label of probability 0.3 counts as 0.25; one of 0.04, below the margin, not at all.
    expected = (-math.log(0.8) + 0.25**4 * -math.log(0.75) + 0 - math.log(0.6)) / 4
    assert float(asymmetric_loss(LOGITS, TARGETS)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_extreme_logits_are_finite_and_point_the_right_way(name):
    logits = torch.tensor([[80.0, -80.0, 3.0, -3.0]], requires_grad=True)
    targets = torch.tensor([[0.0, 1.0, 0.0, 1.0]])
    LOSSES[name](logits, targets).backward()
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad[0, 2] > 0) and (logits.grad[0, 3] < 0)
