"""The backward pass in one process; that several processes equal one large batch is tested in `test_distributed`."""

from __future__ import annotations

import torch
from torch import nn

from dlcli.engine.compute.backward import Backward
from dlcli.engine.compute.distributed import LONE


def test_gradients_are_those_of_the_given_parameters_alone():
    torch.manual_seed(0)
    model = nn.ModuleDict({"generator": nn.Linear(2, 2), "critic": nn.Linear(2, 1)})
    loss = model["critic"](model["generator"](torch.ones(3, 2))).mean()
    Backward(LONE, model)(loss, list(model["generator"].parameters()), is_last=True)
    assert all(parameter.grad is not None for parameter in model["generator"].parameters())
    assert all(parameter.grad is None for parameter in model["critic"].parameters()), "the critic's stay out of it"


def test_micro_batches_add_up_whether_or_not_they_are_the_last():
    torch.manual_seed(0)
    one, many = nn.Linear(3, 1), nn.Linear(3, 1)
    many.load_state_dict(one.state_dict())
    batch = torch.randn(6, 3)
    Backward(LONE, one)(one(batch).square().sum(), list(one.parameters()), is_last=True)
    differentiate = Backward(LONE, many)
    for number, part in enumerate(batch.split(2)):
        differentiate(many(part).square().sum(), list(many.parameters()), is_last=number == 2)
    for whole, summed in zip(one.parameters(), many.parameters(), strict=True):
        torch.testing.assert_close(summed.grad, whole.grad, rtol=1e-6, atol=1e-6)


def test_a_gradient_within_the_loss_is_differentiated_too():
    weight = nn.Parameter(torch.tensor(3.0))
    model = nn.Module()
    model.register_parameter("weight", weight)
    x = torch.tensor(2.0, requires_grad=True)
    [slope] = torch.autograd.grad(weight * x**2, x, create_graph=True)  # 2 w x
    Backward(LONE, model)(slope**2, [weight], is_last=True)  # d (2 w x)^2 / dw = 8 w x^2
    torch.testing.assert_close(weight.grad, torch.tensor(8.0 * 3 * 4))
