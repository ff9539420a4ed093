from __future__ import annotations

import math

import pytest
import torch

from dlcli.models.images.peleenet import GROWTH, DenseLayer, PeleeNet, StemBlock
from dlcli.models.summary import summarise


def test_counts_and_shapes_equal_the_paper_s() -> None:
    summary = summarise(PeleeNet(num_classes=1000), torch.zeros(1, 3, 224, 224))
    assert (summary.parameters, summary.multiply_adds) == (2_802_248, 507_757_568)
    assert (round(summary.parameters / 1e6, 2), round(summary.multiply_adds / 1e6)) == (2.80, 508)
    shapes = {layer.name: layer.output_shape for layer in summary.layers}
    stages = ("stem.mix.2", "layer1.4", "layer2.5", "layer3.9", "layer4.6.2")
    assert [shapes[name] for name in stages] == [(32, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7), (704, 7, 7)]


def test_small_stem_keeps_the_size_and_takes_the_large_one_s_weights() -> None:
    small, large = StemBlock(3, stride=1), StemBlock(3, stride=2)
    small.load_state_dict(large.state_dict())
    assert small(torch.zeros(2, 3, 32, 32)).shape == (2, 32, 32, 32)
    assert large(torch.zeros(2, 3, 32, 32)).shape == (2, 32, 8, 8)


@pytest.mark.parametrize("bottleneck", [1, 4])
def test_a_dense_layer_passes_its_input_on_and_adds_two_ways(bottleneck: int) -> None:
    layer, features = DenseLayer(8, bottleneck).eval(), torch.randn(2, 8, 5, 6)
    answer = layer(features)
    assert answer.shape == (2, 8 + GROWTH, 5, 6)
    assert torch.equal(answer[:, :8], features)
    torch.testing.assert_close(answer[:, 8 : 8 + GROWTH // 2], layer.way1(features))
    torch.testing.assert_close(answer[:, 8 + GROWTH // 2 :], layer.way2(features))
    assert layer.way1[0][0].out_channels == bottleneck * GROWTH // 2


@pytest.mark.parametrize("size", [(29, 30), (31, 33), (224, 65)])
def test_both_ways_of_the_stem_agree_on_maps_of_any_size(size: tuple[int, int]) -> None:
    for stride in (1, 2):
        height, width = (math.ceil(math.ceil(side / stride) / stride) for side in size)
        assert StemBlock(1, stride)(torch.zeros(2, 1, *size)).shape == (2, 32, height, width)
