from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.models.generative.translators import build_cyclegan, build_pix2pix, stride_of


def test_cyclegan_has_two_of_each_and_pix2pix_one():
    cyclegan, pix2pix = (
        build_cyclegan(width=2, critic_width=2),
        build_pix2pix(width=2, critic_width=2, direction="BtoA"),
    )
    assert [list(cyclegan[part]) for part in ("generators", "critics")] == [["AtoB", "BtoA"], ["A", "B"]]
    assert [list(pix2pix[part]) for part in ("generators", "critics")] == [["BtoA"], ["A"]]
    assert pix2pix["critics"]["A"].layers[0].in_channels == 6
    has_dropout = [any(isinstance(each, nn.Dropout) for each in networks.modules()) for networks in (cyclegan, pix2pix)]
    assert has_dropout == [False, True]


def test_weights_are_initialised():
    torch.manual_seed(0)
    networks = build_cyclegan(generator="resnet_6", width=8, critic_width=8)
    weights = [module.weight for module in networks.modules() if isinstance(module, nn.Conv2d)]
    assert float(torch.cat([weight.detach().flatten() for weight in weights]).std()) == pytest.approx(0.02, rel=0.01)


@pytest.mark.parametrize(("generator", "size", "stride"), [("resnet_6", 100, 4), ("unet", 256, 256), ("unet", 96, 32)])
def test_the_stride_of_a_size(generator, size, stride):
    assert stride_of(generator, size) == stride


@pytest.mark.parametrize(
    ("generator", "size", "message"),
    [
        ("resnet_9", 130, "resnet_9 needs a multiple of 4, to be halved 2 times: use 128 or 132"),
        ("unet", 100, "use 96 or 128"),
        ("unet", 20, "use 32"),
        ("vgg", 128, "no generator 'vgg'"),
    ],
)
def test_a_size_that_cannot_be_halved_is_refused(generator, size, message):
    with pytest.raises(ValueError, match=message):
        build_cyclegan(generator=generator, size=size)
