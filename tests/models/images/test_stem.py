from __future__ import annotations

import pytest
from torch import nn

from dlcli.models.images.lenet import SmallCNN
from dlcli.models.images.normalised import Normalised
from dlcli.models.images.stem import head_of


def test_head_is_found_inside_a_wrapper() -> None:
    network = SmallCNN(num_classes=3, width=4)
    assert head_of(Normalised(network, [0.5], [0.5])) is network.head


def test_network_without_head_is_refused() -> None:
    with pytest.raises(ValueError, match="no layer named"):
        head_of(nn.Sequential(nn.Linear(3, 3)))
