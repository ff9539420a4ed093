from __future__ import annotations

import torch
from torch import nn

from dlcli.models.generative.initialise import initialise


def test_weights_are_normal_and_biases_zero():
    torch.manual_seed(0)
    layers = (
        nn.Conv2d(8, 32, 3),
        nn.ConvTranspose2d(8, 32, 3),
        nn.Linear(64, 64),
        nn.BatchNorm2d(4000),
        nn.InstanceNorm2d(8),
    )
    model = nn.Sequential(*layers)
    initialise(model)
    for layer, mean in zip(layers[:4], (0, 0, 0, 1), strict=True):
        assert abs(float(layer.weight.detach().mean()) - mean) < 0.002
        assert abs(float(layer.weight.detach().std()) - 0.02) < 0.001
        assert not layer.bias.any()


def test_what_has_no_weights_stays_as_it_is():
    model = nn.Sequential(nn.BatchNorm2d(4, affine=False), nn.Conv2d(4, 4, 1, bias=False), nn.LayerNorm(4))
    initialise(model)
    assert torch.equal(model[2].weight, torch.ones(4))
    assert 0 < float(model[1].weight.detach().abs().max()) < 0.1
