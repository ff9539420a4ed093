"""A generator that predicts changes starts from the image itself."""

from __future__ import annotations

import pytest
import torch

from dlcli.models.generative.residual import HEADROOM, ResidualGenerator
from dlcli.models.generative.resnet_generator import ResNetGenerator
from dlcli.models.generative.translators import build_cyclegan, build_pix2pix
from dlcli.models.generative.unet_generator import UNetGenerator


@pytest.fixture
def images():
    torch.manual_seed(0)
    drawn = torch.rand(2, 3, 32, 32) * 2 - 1
    drawn[0, 0, 0], drawn[0, 1, 0] = 1, -1  # white and black
    return drawn


@pytest.fixture(params=["resnet", "unet"])
def network(request):
    if request.param == "resnet":
        return ResNetGenerator(blocks=1, width=4)
    return UNetGenerator(depth=5, width=4, norm="instance", dropout=False)


def test_the_change_is_added_before_the_tanh(network, images):
    with torch.no_grad():
        expected = torch.tanh(torch.atanh(HEADROOM * images.double()) + torch.atanh(network(images).double()))
        torch.testing.assert_close(ResidualGenerator(network)(images), expected.float(), atol=1e-5, rtol=0)


def test_an_image_comes_out_as_it_went_in_until_the_training_changes_that(network, images):
    generator = ResidualGenerator(network)
    generator.start_from_input()
    assert generator.stride == network.stride
    made = generator(images)
    assert torch.equal(made, HEADROOM * images)
    optimizer = torch.optim.SGD(generator.parameters(), lr=1.0)
    for _ in range(2):  # the first step reaches the last convolution alone, which is zero
        optimizer.zero_grad()
        (generator(images) - 1).square().mean().backward()
        optimizer.step()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in generator.parameters())
    assert generator(images).mean() > made.mean()


@pytest.mark.parametrize("build", [build_cyclegan, build_pix2pix])
def test_both_models_start_from_their_input_only_where_that_is_asked_for(build, images):
    for residual in (False, True):
        networks = build(generator="unet", size=32, width=4, critic_width=4, residual=residual)
        for generator in networks["generators"].values():
            assert torch.equal(generator.eval()(images), HEADROOM * images) == residual
