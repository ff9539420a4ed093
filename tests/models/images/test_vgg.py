from __future__ import annotations

import torch
from torch import nn

from dlcli.models.images.vgg import VGG
from dlcli.models.summary import summarise


def test_six_convolutions_have_the_widths_of_the_recipe() -> None:
    widths = [module.out_channels for module in VGG(num_classes=10).modules() if isinstance(module, nn.Conv2d)]
    assert widths == [64, 128, 256, 256, 512, 512]


def test_counts_equal_those_worked_by_hand() -> None:
    pairs = [(3, 64), (64, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    maps = [32, 16, 8, 8, 4, 4]
    summary = summarise(VGG(num_classes=10), torch.zeros(1, 3, 32, 32))
    norms = 2 * sum(after for _, after in pairs)
    assert summary.parameters == sum(9 * a * b for a, b in pairs) + norms + 512 * 10 + 10 == 4_507_722
    products = sum(9 * a * b * side**2 for (a, b), side in zip(pairs, maps, strict=True))
    assert summary.multiply_adds == products + 512 * 10 == 133_895_168


def test_receptive_field_equals_the_one_worked_by_hand() -> None:
    # A 3x3 convolution adds 2 steps, a 2x2 pool adds 1 and doubles the step:
    # 1 +2+1 =4, +4+2 =10, +8+8+4 =30, +16+16+8 =70.
    assert summarise(VGG(num_classes=10), torch.zeros(1, 3, 128, 128)).receptive_field == 70


def test_receptive_field_of_a_small_image_is_the_whole_input() -> None:
    assert summarise(VGG(num_classes=10), torch.zeros(1, 3, 32, 32)).receptive_field is None
