from __future__ import annotations

import torch

from dlcli.models.images.peleenet import PeleeNet, StemBlock
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
