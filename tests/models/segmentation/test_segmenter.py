"""A fresh network begins with the shares of the classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dlcli.models.segmentation.segmenter import LEAST_SHARE, begin_at_shares
from dlcli.models.segmentation.torchvision_nets import build_torchvision_segmenter
from dlcli.models.segmentation.unet import build_unet

PIXELS = np.array([7000, 2000, 1000, 0])
BUILDERS: dict[str, Callable[[], Any]] = {
    "unet": lambda: build_unet(4, width=4),
    "lraspp": lambda: build_torchvision_segmenter("lraspp_mobilenet_v3_large", 4),
    "deeplabv3": lambda: build_torchvision_segmenter("deeplabv3_mobilenet_v3_large", 4),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_what_no_weight_moves_is_the_share_of_each_class(name: str) -> None:
    network = BUILDERS[name]().eval()
    begin_at_shares(network, PIXELS)
    ours = {id(bias) for bias in network.class_biases()}
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.out_channels == 4 and layer.kernel_size == (1, 1):
            nn.init.zeros_(layer.weight)
            if layer.bias is not None and id(layer.bias) not in ours:
                nn.init.zeros_(layer.bias)
    with torch.no_grad():
        heads = network.logits_by_head(torch.rand(1, 3, 64, 64))
    assert len(heads) == len(ours)
    expected = np.array([0.7, 0.2, 0.1, LEAST_SHARE]) / (1 + LEAST_SHARE)
    for logits in heads:
        found = logits.softmax(1).permute(0, 2, 3, 1).reshape(-1, 4)
        assert torch.allclose(found, torch.from_numpy(expected).float().expand_as(found), atol=1e-5)


def test_the_first_loss_is_that_of_the_shares_and_not_of_a_guess() -> None:
    torch.manual_seed(0)
    network, truth = build_unet(4, width=4), torch.zeros(2, 64, 64, dtype=torch.int64)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        guess = float(nn.functional.cross_entropy(network(images), truth))
        begin_at_shares(network, PIXELS)
        assert float(nn.functional.cross_entropy(network(images), truth)) < 0.6 * guess


def test_no_pixel_at_all_is_no_fault() -> None:
    network = build_unet(4, width=4)
    begin_at_shares(network, np.zeros(4, np.int64))
    assert torch.allclose(network.head.bias, torch.full((4,), float(np.log(0.25))))
