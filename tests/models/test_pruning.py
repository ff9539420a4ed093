from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.models.pruning import prune_smallest


def test_the_smallest_weights_of_all_layers_together_become_zero_and_the_others_stay():
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([0.1, -9.0]).view(2, 1, 1, 1))
        model[3].weight.copy_(torch.tensor([[-0.2, 5.0], [0.3, 4.0], [6.0, 7.0]]))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert prune_smallest(model, 0.375) == (3, 8)
    assert model[0].weight.flatten().tolist() == [0.0, -9.0]
    assert model[3].weight.tolist() == [[0.0, 5.0], [0.0, 4.0], [6.0, 7.0]]
    after = model.state_dict()
    assert list(after) == list(before), "no mask stays behind"
    others = [name for name in before if name not in ("0.weight", "3.weight")]
    assert all(torch.equal(after[name], before[name]) for name in others)


def test_a_network_without_such_layers_is_refused():
    with pytest.raises(ValueError, match="no linear layer"):
        prune_smallest(nn.Sequential(nn.Embedding(3, 2)), 0.5)
