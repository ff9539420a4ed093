from __future__ import annotations

import pytest
import torch

from dlcli.models.generative.penalties import gradient_penalty, r1_penalty

SHAPE = (5, 2, 4, 4)


@pytest.fixture
def sets():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(SHAPE, generator=generator), torch.randn(SHAPE, generator=generator)


def test_penalties_of_a_linear_critic_have_their_analytic_values(sets):
    """The gradient of w.x is w everywhere: the penalties are (|w| - 1)^2 and |w|^2 / 2."""
    real, made = sets
    weight = torch.full(SHAPE[1:], 0.25)  # of norm 0.25 * sqrt(32) = sqrt(2)
    penalty = gradient_penalty(lambda images: (images * weight).flatten(1).sum(1), real, made, torch.rand(5))
    assert float(penalty) == pytest.approx((2**0.5 - 1) ** 2, rel=1e-6)
    real.requires_grad_()
    assert float(r1_penalty((real * weight).flatten(1).sum(1), real)) == pytest.approx(1.0, rel=1e-6)


def test_the_penalty_is_differentiated_with_respect_to_the_weights(sets):
    """Of w.x: the derivative of (|w| - 1)^2 is 2 (|w| - 1) w / |w|, that of |w|^2 / 2 is w."""
    real, made = sets
    weight = torch.randn(SHAPE[1:], generator=torch.Generator().manual_seed(1)).requires_grad_()
    norm = weight.detach().norm()

    def judge(images):
        return (images * weight).flatten(1).sum(1)

    gradient_penalty(judge, real, made, torch.rand(5)).backward()
    torch.testing.assert_close(weight.grad, 2 * (norm - 1) * weight.detach() / norm)
    weight.grad = None
    real.requires_grad_()
    r1_penalty(judge(real), real).backward(inputs=[weight])
    torch.testing.assert_close(weight.grad, weight.detach())


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_penalty_is_taken_between_real_and_made_images(sets, share):
    """The gradient of |x|^2 / 2 is x: its norm says where it was taken."""
    real, made = sets
    mix = torch.full((5,), share)
    penalty = gradient_penalty(lambda images: images.square().flatten(1).sum(1) / 2, real, made, mix)
    norms = (share * real + (1 - share) * made).flatten(1).norm(dim=1)
    assert float(penalty) == pytest.approx(float((norms - 1).square().mean()), rel=1e-5)


def test_a_critic_without_gradient_is_penalised_and_stays_finite(sets):
    real, made = sets
    weight = torch.zeros(SHAPE[1:], requires_grad=True)
    penalty = gradient_penalty(lambda images: (images * weight).flatten(1).sum(1), real, made, torch.rand(5))
    penalty.backward()
    assert float(penalty) == 1.0
    assert torch.isfinite(weight.grad).all()
