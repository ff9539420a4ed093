from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.models.images.backbone import build_backbone
from dlcli.models.segmentation.unet import SmallBody, UNet, build_unet


def small(**options):
    torch.manual_seed(0)
    return build_unet(3, width=4, **options).eval()


@pytest.mark.parametrize("backbone", [None, "efficientnet_lite0", "resnet", "mobilenet_v3_small"])
def test_logits_have_the_resolution_of_the_image(backbone):
    with torch.no_grad():
        logits = small(backbone=backbone)(torch.randn(2, 3, 64, 96))
    assert logits.shape == (2, 3, 64, 96)


@pytest.mark.parametrize("upsampling", ["bilinear", "nearest"])
def test_every_parameter_learns(upsampling):
    network = small(upsampling=upsampling).train()
    network(torch.randn(2, 3, 32, 32)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


def test_the_two_ways_of_enlarging_differ_and_a_third_is_refused():
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert not torch.equal(small(upsampling="bilinear")(image), small(upsampling="nearest")(image))
    with pytest.raises(ValueError, match="bilinear or nearest"):
        small(upsampling="cubic")


def test_fine_details_pass_by_the_skips():
    """With the coarse half of the decoder silenced, the logits still follow a single pixel of the image."""
    network = small()
    with torch.no_grad():
        first = network.decoder[-1][0]
        first.weight[:, : 2 * 4] = 0  # what comes from below
        image = torch.zeros(1, 3, 32, 32)
        plain = network(image)
        image[0, :, 10, 20] = 5
        changed = (network(image) - plain).abs().sum(1)[0].nonzero()
    assert len(changed)
    assert (changed.float() - torch.tensor([10.0, 20.0])).abs().max() <= 4, "four 3x3 convolutions see four pixels"


def test_the_encoder_is_the_backbone_with_its_weights():
    torch.manual_seed(0)
    encoder = build_backbone("efficientnet_lite0", strides=(2, 4, 8))
    network = UNet(encoder, 2, width=4)
    assert network.encoder is encoder
    assert [step[0].in_channels for step in network.decoder] == [
        encoder.out_channels[8] + encoder.out_channels[4],
        2 * 4 + encoder.out_channels[2],
    ]
    with torch.no_grad():
        assert network.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 2, 32, 32)


def test_the_small_body_halves_and_widens():
    body = SmallBody(width=2)
    maps = body(torch.zeros(2, 3, 32, 32))
    assert [each.shape[1:] for each in maps] == [(2, 32, 32), (4, 16, 16), (8, 8, 8), (16, 4, 4), (16, 2, 2)]
    assert tuple(body.out_channels.values()) == tuple(each.shape[1] for each in maps)


def test_a_backbone_without_maps_is_refused():
    with pytest.raises(UsageError, match="maps by stride"):
        build_unet(2, backbone="vit_b_16")


def test_the_only_head_answers():
    network, image = small(), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        [logits] = network.logits_by_head(image)
        assert torch.equal(logits, network(image))
    assert isinstance(network.head, nn.Conv2d)
