from __future__ import annotations

import pytest
import torch

from dlcli.models.images.inception import Inception, InceptionModule
from dlcli.models.receptive_field import measure_receptive_field
from dlcli.models.summary import summarise


def test_modules_have_half_the_paper_s_widths() -> None:
    network = Inception(num_classes=10)
    features, widths = torch.zeros(2, 96, 4, 4), []
    for stage in (network.layer1, network.layer2, network.layer3):
        for module in stage:
            if isinstance(module, InceptionModule):
                features = module(features)
                widths.append(features.shape[1])
    # Table 1: 256, 480, 512, 512, 512, 528, 832, 832, 1024.
    assert [2 * width for width in widths] == [256, 480, 512, 512, 512, 528, 832, 832, 1024]


def test_counts_are_those_that_are_stated() -> None:
    summary = summarise(Inception(num_classes=10), torch.zeros(1, 3, 32, 32))
    assert (summary.parameters, summary.multiply_adds) == (1_475_418, 92_779_520)


def test_large_images_are_shrunk_as_in_the_paper() -> None:
    summary = summarise(Inception(num_classes=10, image_size=224), torch.zeros(1, 3, 224, 224))
    assert {layer.name: layer.output_shape for layer in summary.layers}["stem.4"] == (96, 28, 28)


def test_a_module_answers_with_its_four_branches_side_by_side() -> None:
    widths = (3, 2, 5, 1, 4, 6)
    module, features = InceptionModule(7, widths).eval(), torch.randn(2, 7, 5, 6)
    answer = module(features)
    assert answer.shape == (2, 3 + 5 + 4 + 6, 5, 6)
    branches = (module.branch1, module.branch3, module.branch5, module.branch_pool)
    parts = answer.split((3, 5, 4, 6), dim=1)
    for branch, part in zip(branches, parts, strict=True):
        torch.testing.assert_close(branch(features), part)


@pytest.mark.parametrize(("branch", "side"), [("branch1", 1), ("branch3", 3), ("branch5", 5), ("branch_pool", 3)])
def test_a_branch_sees_as_far_as_its_kernel(branch: str, side: int) -> None:
    module = InceptionModule(2, (3, 2, 5, 2, 4, 6))
    assert measure_receptive_field(module.get_submodule(branch), torch.zeros(1, 2, 15, 15)) == side
