from __future__ import annotations

import torch
from torch import nn

from dlcli.models.places import device_of


def test_a_network_is_where_its_parameters_are() -> None:
    assert device_of(nn.Sequential(nn.ReLU(), nn.Linear(1, 1, device="meta"))) == torch.device("meta")
    assert device_of(nn.Linear(1, 1)) == torch.device("cpu")


def test_one_without_parameters_is_where_new_tensors_are() -> None:
    assert device_of(nn.ReLU()) == torch.empty(0).device
    with torch.device("meta"):
        assert device_of(nn.ReLU()) == torch.device("meta")
