from __future__ import annotations

import pytest
import torch

from dlcli.models.generative.norms import NORMS, InstanceNorm


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_maps_and_gradients_equal_the_formula(memory_format, is_training, count):
    torch.manual_seed(0)
    values = torch.randn(count, 5, 6, 7).mul(3).add(1).contiguous(memory_format=memory_format)
    direction = torch.randn_like(values)
    found, expected = values.clone().requires_grad_(), values.clone().requires_grad_()
    own = InstanceNorm().train(is_training)(found)
    variance, mean = torch.var_mean(expected, (2, 3), correction=0, keepdim=True)
    formula = (expected - mean) / (variance + 1e-5).sqrt()
    torch.testing.assert_close(own, formula)
    own.backward(direction)
    formula.backward(direction)
    torch.testing.assert_close(found.grad, expected.grad)
    if is_training:
        assert own.is_contiguous(memory_format=memory_format), "no convolution has to convert it"


def test_an_image_does_not_depend_on_those_beside_it():
    images = torch.randn(3, 4, 8, 8).contiguous(memory_format=torch.channels_last)
    norm = NORMS["instance"](4)
    assert torch.equal(norm(images)[1:2], norm(images[1:2]))
    assert not list(norm.parameters())
