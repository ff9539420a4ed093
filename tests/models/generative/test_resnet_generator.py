from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.models.generative.norms import InstanceNorm
from dlcli.models.generative.resnet_generator import UPSAMPLING, ResNetGenerator


def num_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("blocks", "published"), [(9, 11_378_179), (6, 7_837_699)])
def test_the_published_number_of_parameters(blocks, published):
    """The authors' convolutions have biases before the norms too, which the norms subtract again."""
    with torch.device("meta"):
        network = ResNetGenerator(blocks=blocks)
    subtracted = 64 + 128 + 256 + blocks * 2 * 256 + 128 + 64
    assert num_parameters(network) + subtracted == published


@pytest.mark.parametrize("upsampling", UPSAMPLING)
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_images_have_their_size_and_every_parameter_learns(upsampling, norm):
    torch.manual_seed(0)
    network = ResNetGenerator(blocks=1, width=4, norm=norm, upsampling=upsampling)
    made = network(torch.rand(2, 3, 16, 24) * 2 - 1)
    assert made.shape == (2, 3, 16, 24)
    assert made.detach().abs().max() < 1
    (made - 0.5).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


def test_resizing_leaves_no_checkerboard():
    """From a flat map a transposed convolution makes a pattern of period 2, a resized one none."""
    torch.manual_seed(0)
    contrasts = {}
    for upsampling in UPSAMPLING:
        network = ResNetGenerator(blocks=0, width=4, norm="batch", upsampling=upsampling).eval()
        layers = list(network.layers)
        first = next(
            index for index, layer in enumerate(layers) if isinstance(layer, (nn.ConvTranspose2d, nn.Upsample))
        )
        with torch.no_grad():
            doubled = nn.Sequential(*layers[first : first + (1 if upsampling == "transposed" else 3)])(
                torch.ones(1, 16, 8, 8)
            )[..., 4:12, 4:12]
        contrasts[upsampling] = float((doubled[..., ::2] - doubled[..., 1::2]).abs().max())
    assert contrasts["transposed"] > 0.01
    assert contrasts["resize"] < 1e-6


def test_a_batch_equals_its_images_one_by_one():
    torch.manual_seed(0)
    network = ResNetGenerator(blocks=1, width=4).to(memory_format=torch.channels_last)
    assert any(isinstance(module, InstanceNorm) for module in network.modules())
    images = torch.rand(3, 3, 16, 16).contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(network(images), torch.cat([network(image[None]) for image in images]))


def test_another_upsampling_is_refused():
    with pytest.raises(ValueError, match="transposed or resize"):
        ResNetGenerator(upsampling="bilinear")
