from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from dlcli.models.generative.gan_losses import GAN_LOSSES, cross_entropy, least_squares, wasserstein

JUDGEMENTS = torch.tensor([[0.5, -1.0], [3.0, 0.0]])


@pytest.mark.parametrize("is_real", [True, False])
def test_losses_equal_torchs(is_real):
    target = torch.full_like(JUDGEMENTS, float(is_real))
    torch.testing.assert_close(least_squares(JUDGEMENTS, is_real=is_real), F.mse_loss(JUDGEMENTS, target))
    expected = F.binary_cross_entropy_with_logits(JUDGEMENTS, target)
    torch.testing.assert_close(cross_entropy(JUDGEMENTS, is_real=is_real), expected)


def test_values_worked_by_hand():
    assert float(least_squares(JUDGEMENTS, is_real=True)) == (0.25 + 4 + 4 + 1) / 4
    assert float(cross_entropy(torch.zeros(3), is_real=False)) == pytest.approx(math.log(2))
    assert float(wasserstein(JUDGEMENTS, is_real=True)) == -0.625 == -float(wasserstein(JUDGEMENTS, is_real=False))


@pytest.mark.parametrize("loss", GAN_LOSSES.values(), ids=GAN_LOSSES)
def test_a_critic_pulls_real_and_made_images_apart_and_sums_stay_in_single_precision(loss):
    judgements = torch.zeros(2, requires_grad=True)
    (loss(judgements[:1], is_real=True) + loss(judgements[1:], is_real=False)).backward()
    real, made = judgements.grad
    assert real < 0 <= made, "a step against the gradient raises the judgement of the real one"
    assert loss(JUDGEMENTS.bfloat16(), is_real=True).dtype == torch.float32
