"""The losses of classifiers, against values worked by hand and torch's own."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcli.models.cosine import CosineHead
from dlcli.tasks.classes.losses import ClassLoss, cross_entropy, focal_terms, with_margin

RANDOM = torch.Generator().manual_seed(0)
LOGITS = torch.randn(12, 4, generator=RANDOM) * 3
LABELS = torch.arange(12) % 4
WEIGHTS = torch.tensor([0.2, 1.0, 3.0, 0.5])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_a_gamma_of_zero_is_the_cross_entropy(smoothing, weights):
    expected = F.cross_entropy(LOGITS, LABELS, weights, label_smoothing=smoothing, reduction="sum") / 12
    torch.testing.assert_close(ClassLoss("cross-entropy", smoothing)(LOGITS, LABELS, weights), expected)
    torch.testing.assert_close(ClassLoss("focal:0", smoothing)(LOGITS, LABELS, weights), expected)
    # A tiny gamma takes the other way through the code.
    torch.testing.assert_close(cross_entropy(LOGITS, LABELS, smoothing, weights, 1e-9), expected)


def test_focal_values_worked_by_hand():
    probabilities = torch.tensor([[0.9, 0.1], [0.4, 0.6]])
    labels = torch.tensor([0, 0])
    expected = (0.1**2 * -math.log(0.9) + 0.6**2 * -math.log(0.4)) / 2
    assert float(ClassLoss("focal", 0.0)(probabilities.log(), labels, None)) == pytest.approx(expected, rel=1e-5)
    weighted = (3 * 0.1**2 * -math.log(0.9) + 3 * 0.6**2 * -math.log(0.4)) / 2
    loss = ClassLoss("focal", 0.0)(probabilities.log(), labels, torch.tensor([3.0, 1.0]))
    assert float(loss) == pytest.approx(weighted, rel=1e-5)
    both = (0.1**2 * -math.log(0.9) + 0.9**2 * -math.log(0.1)) / 2  # a target spread over both classes
    assert float(cross_entropy(probabilities[:1].log(), labels[:1], 1.0, None, 2.0)) == pytest.approx(both, rel=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_the_gradient_of_certain_answers_is_finite(gamma):
    logits = torch.tensor([[200.0, 0.0], [-200.0, 0.0]], requires_grad=True)
    ClassLoss(f"focal:{gamma}", 0.1)(logits, torch.tensor([0, 0]), None).backward()
    assert torch.isfinite(logits.grad).all() and logits.grad[1, 0] < 0


def test_focal_terms_make_torchvisions_sigmoid_loss():
    from torchvision.ops import sigmoid_focal_loss

    targets = (LOGITS > 1).float()
    terms = focal_terms(F.logsigmoid(torch.where(targets > 0, LOGITS, -LOGITS)), 2.0)
    torch.testing.assert_close(terms, sigmoid_focal_loss(LOGITS, targets, alpha=-1, gamma=2.0))


def test_a_loss_is_named_as_its_option():
    assert [ClassLoss(text, 0.0).name for text in ("cross-entropy", "focal:3")] == ["cross_entropy", "focal"]
    with pytest.raises(ValueError, match="no 'focall'"):
        ClassLoss("focall", 0.0)


@pytest.mark.parametrize("name", ["am-softmax", "arcface"])
def test_a_margin_of_zero_is_a_softmax_of_cosines(name):
    cosines = torch.linspace(-1, 1, 48).view(12, 4)
    expected = F.cross_entropy(10 * cosines, LABELS)
    torch.testing.assert_close(ClassLoss(f"{name}:0,10", 0.0)(10 * cosines, LABELS, None), expected)


def test_margins_worked_by_hand():
    cosines = torch.tensor([[math.cos(1.0), 0.3], [-0.2, math.cos(2.0)]])
    labels, others = torch.tensor([0, 1]), [0.3, -0.2]
    for name, wanted in (
        ("am-softmax", [math.cos(1.0) - 0.4, math.cos(2.0) - 0.4]),
        ("arcface", [math.cos(1.4), math.cos(2.4)]),
    ):
        hand = [math.log(1 + math.exp(8 * (other - own))) for own, other in zip(wanted, others, strict=True)]
        loss = ClassLoss(f"{name}:0.4,8", 0.0)(8 * cosines, labels, None)
        assert float(loss) == pytest.approx(sum(hand) / 2, rel=1e-5)


def test_beyond_pi_an_angle_with_a_margin_costs_ever_more():
    angles = torch.linspace(0.001, math.pi - 0.001, 500)
    cosines = angles.cos()[:, None].requires_grad_()
    target = with_margin("arcface", 4 * cosines, torch.zeros(500, dtype=torch.int64), 0.5, 4.0)[:, 0] / 4
    assert (target.diff() < 0).all(), "a larger angle never gets a larger logit"
    near = angles < math.pi - 0.5
    torch.testing.assert_close(target[near], (angles[near] + 0.5).cos(), atol=1e-4, rtol=0)
    torch.testing.assert_close(target[~near], angles[~near].cos() - 0.5 * math.sin(0.5))


@pytest.mark.parametrize("name", ["am-softmax", "arcface"])
def test_gradients_at_the_ends_of_the_range_are_finite(name):
    logits = torch.tensor([[30.0, -30.0], [-30.0, 30.0]], requires_grad=True)
    ClassLoss(f"{name}:0.5,30", 0.0)(logits, torch.tensor([0, 0]), None).backward()
    assert torch.isfinite(logits.grad).all() and logits.grad[1, 0] < 0


def test_a_step_equals_one_made_by_hand():
    body, head = nn.Linear(3, 5), CosineHead(5, 4, 8.0)
    items, labels = torch.randn(6, 3, generator=RANDOM), torch.tensor([0, 1, 2, 3, 0, 1])
    before = [parameter.detach().clone().requires_grad_() for parameter in (body.weight, body.bias, head.weight)]
    optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.1)
    ClassLoss("am-softmax:0.3,8", 0.0)(head(body(items)), labels, None).backward()
    optimizer.step()
    features = items @ before[0].T + before[1]
    cosines = features @ before[2].T / features.norm(dim=1, keepdim=True) / before[2].norm(dim=1)
    exponentials = (8 * (cosines - 0.3 * F.one_hot(labels, 4))).exp()
    loss = -(exponentials[range(6), labels] / exponentials.sum(1)).log().mean()
    slopes = torch.autograd.grad(loss, before)
    expected = [value - 0.1 * slope for value, slope in zip(before, slopes, strict=True)]
    torch.testing.assert_close([body.weight, body.bias, head.weight], expected)
