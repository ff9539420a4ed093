from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.images.resnet import BasicBlock, ResNet
from dlcli.models.summary import summarise


def test_it_has_eighteen_layers() -> None:
    layers = [
        name
        for name, module in ResNet(num_classes=10).named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear)) and "shortcut" not in name
    ]
    assert len(layers) == 18


def test_every_stage_halves_the_map() -> None:
    summary = summarise(ResNet(num_classes=10), torch.zeros(1, 3, 32, 32))
    shapes = {layer.name: layer.output_shape for layer in summary.layers}
    assert shapes["stem.2"] == (32, 32, 32)
    assert [shapes[f"layer{index}.1.norm2"] for index in (1, 2, 3, 4)] == [
        (64, 16, 16),
        (128, 8, 8),
        (256, 4, 4),
        (512, 2, 2),
    ]


def test_counts_are_those_that_the_file_states() -> None:
    summary = summarise(ResNet(num_classes=10), torch.zeros(1, 3, 32, 32))
    assert (summary.parameters, summary.multiply_adds) == (11_156_778, 135_107_584)


def test_large_images_get_the_paper_s_overall_stride() -> None:
    summary = summarise(ResNet(num_classes=10, image_size=224), torch.zeros(1, 3, 224, 224))
    assert {layer.name: layer.output_shape for layer in summary.layers}["layer4.1.norm2"] == (512, 7, 7)


def test_width_scales_every_stage() -> None:
    assert ResNet(num_classes=10, width=16).head.in_features == 128


def test_block_begins_as_its_shortcut() -> None:
    block = ResNet(num_classes=10).layer1[1]
    features = torch.rand(2, 64, 8, 8)
    assert torch.equal(block(features), features)


def norm(features: Tensor, layer: nn.BatchNorm2d) -> Tensor:
    scale = layer.weight / (layer.running_var + layer.eps).sqrt()
    return features * scale[:, None, None] + (layer.bias - layer.running_mean * scale)[:, None, None]


@pytest.mark.parametrize(("in_channels", "out_channels", "stride"), [(4, 4, 1), (4, 8, 1), (4, 8, 2), (4, 4, 2)])
def test_a_block_is_two_convolutions_beside_its_shortcut(in_channels: int, out_channels: int, stride: int) -> None:
    block, features = BasicBlock(in_channels, out_channels, stride), torch.randn(2, in_channels, 6, 7)
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                value.uniform_(0.5, 1.5)
    block.eval()
    inner = norm(F.conv2d(features, block.conv1[0].weight, stride=stride, padding=1), block.conv1[1]).relu()
    outer = norm(F.conv2d(inner, block.conv2.weight, padding=1), block.norm2)
    if isinstance(block.shortcut, nn.Identity):
        expected = (outer + features).relu()
        assert (in_channels, stride) == (out_channels, 1)
    else:
        projected = F.conv2d(features, block.shortcut[0].weight, stride=stride)
        expected = (outer + norm(projected, block.shortcut[1])).relu()
    torch.testing.assert_close(block(features), expected, rtol=1e-4, atol=1e-5)
