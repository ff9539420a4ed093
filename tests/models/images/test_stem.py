from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from dlcli.models.images.lenet import SmallCNN
from dlcli.models.images.normalised import Normalised
from dlcli.models.images.stem import freeze_backbone, head_of


def _statistics(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.named_buffers()}


def _train_one_step(model: nn.Module) -> None:
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    nn.functional.cross_entropy(model(torch.rand(4, 1, 28, 28) * 255), torch.tensor([0, 1, 2, 0])).backward()
    optimizer.step()


@pytest.fixture
def network() -> SmallCNN:
    return SmallCNN(num_classes=3, width=4, dropout=0.0)


def test_only_the_head_of_a_frozen_network_is_trained(network: SmallCNN) -> None:
    freeze_backbone(network)
    model = Normalised(network, [0.5], [0.5])
    before = copy.deepcopy(model.state_dict())
    _train_one_step(model)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"network.head.weight", "network.head.bias"}


def test_statistics_of_an_unfrozen_network_move(network: SmallCNN) -> None:
    before = _statistics(network)
    _train_one_step(network)
    assert any(not torch.equal(value, before[name]) for name, value in network.named_buffers())


def test_frozen_network_in_training_answers_as_in_evaluation(network: SmallCNN) -> None:
    freeze_backbone(network)
    images = torch.randn(4, 1, 28, 28)
    assert torch.equal(network.train()(images), network.eval()(images))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copy_of_a_frozen_network_is_frozen_too(network: SmallCNN, duplicate: object) -> None:
    freeze_backbone(network)
    twin = duplicate(network)  # type: ignore[operator]
    before, twin_before = _statistics(network), _statistics(twin)
    _train_one_step(twin)
    for model, statistics in ((network, before), (twin, twin_before)):
        assert all(torch.equal(value, statistics[name]) for name, value in model.named_buffers())


def test_freezing_changes_neither_names_nor_export(network: SmallCNN) -> None:
    names = list(network.state_dict())
    freeze_backbone(network)
    network.eval()
    images = torch.randn(2, 1, 28, 28)
    assert list(network.state_dict()) == names
    exported = torch.export.export(network, (images,)).module()
    traced = torch.jit.trace(network, images)
    with torch.no_grad():
        torch.testing.assert_close(exported(images), network(images))
        torch.testing.assert_close(traced(images), network(images))


def test_head_is_found_inside_a_wrapper(network: SmallCNN) -> None:
    assert head_of(Normalised(network, [0.5], [0.5])) is network.head


def test_network_without_head_is_refused() -> None:
    with pytest.raises(ValueError, match="no layer named"):
        freeze_backbone(nn.Sequential(nn.Linear(3, 3)))
