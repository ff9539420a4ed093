from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.models.images.mobilenet import MobileNet
from dlcli.models.summary import summarise


@pytest.mark.parametrize(
    ("width", "parameters", "multiply_adds"),
    # The paper's table 6: 4.2 M and 569 M, 1.3 M and 149 M.
    [(1.0, 4_231_976, 568_740_352), (0.5, 1_331_592, 149_497_088)],
)
def test_counts_equal_the_paper_s(width: float, parameters: int, multiply_adds: int) -> None:
    summary = summarise(MobileNet(num_classes=1000, image_size=224, width=width), torch.zeros(1, 3, 224, 224))
    assert (summary.parameters, summary.multiply_adds) == (parameters, multiply_adds)
    assert (round(parameters / 1e6, 1), round(multiply_adds / 1e6)) == {1.0: (4.2, 569), 0.5: (1.3, 149)}[width]


def test_blocks_filter_each_channel_by_itself_and_then_mix() -> None:
    convolutions = [module for module in MobileNet(num_classes=3).modules() if isinstance(module, nn.Conv2d)]
    stem, blocks = convolutions[0], convolutions[1:]
    assert stem.groups == 1
    assert len(blocks) == 2 * 13
    for depthwise, pointwise in zip(blocks[::2], blocks[1::2], strict=True):
        assert depthwise.groups == depthwise.in_channels == depthwise.out_channels == pointwise.in_channels
        assert (depthwise.kernel_size, pointwise.kernel_size, pointwise.groups) == ((3, 3), (1, 1), 1)


def test_strides_are_those_of_table_1_but_for_the_last() -> None:
    for size, first in ((32, 1), (224, 2)):
        network = MobileNet(num_classes=3, image_size=size)
        layers = [module for module in network.modules() if isinstance(module, nn.Conv2d) and module.groups > 1]
        assert [layer.stride[0] for layer in layers] == [1, 2, 1, 2, 1, 2, *[1] * 5, 2, 1]
        assert network.stem[0].stride == (first, first)
