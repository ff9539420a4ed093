from __future__ import annotations

import pytest
import torch

from dlcli.models.generative.patch_critic import LEAST_SIDE_PX, PatchCritic
from dlcli.models.receptive_field import measure_receptive_field


@pytest.mark.parametrize(("channels", "published"), [(3, 2_764_737), (6, 2_767_809)])
def test_the_published_number_of_parameters(channels, published):
    """The authors' convolutions have biases before the norms too, which the norms subtract again."""
    network = PatchCritic(channels)
    assert sum(parameter.numel() for parameter in network.parameters()) + 128 + 256 + 512 == published


def test_a_judgement_sees_70_pixels():
    assert measure_receptive_field(PatchCritic(width=4, norm="batch"), torch.zeros(1, 3, 160, 160)) == 70


def test_a_judgement_for_every_patch():
    network = PatchCritic(6, width=4)
    assert network(torch.zeros(2, 6, 256, 256)).shape == (2, 1, 30, 30)
    assert network(torch.zeros(2, 6, LEAST_SIDE_PX, 32)).shape == (2, 1, 1, 2)
