from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torchvision
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.registry import load_object
from dlcli.core.train_config import TrainConfig
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.optim.layers import Stage, cut_groups, freeze_layers, layer_rates, stages_of
from dlcli.models.images.lenet import SmallCNN
from dlcli.models.images.normalised import Normalised
from dlcli.tasks.classification.networks import NETWORKS


def _statistics(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.named_buffers()}


def _train_one_step(model: nn.Module) -> None:
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    nn.functional.cross_entropy(model(torch.rand(4, 1, 28, 28) * 255), torch.tensor([0, 1, 2, 0])).backward()
    optimizer.step()


def freeze(model: nn.Module, **options: object) -> None:
    config = TrainConfig(**{"freeze": "head", **options})  # type: ignore[arg-type]
    freeze_layers(model, layer_rates(model, config))


@pytest.fixture
def network() -> SmallCNN:
    return SmallCNN(num_classes=3, width=4, dropout=0.0)


def test_only_the_head_of_a_frozen_network_is_trained(network: SmallCNN) -> None:
    freeze(network)
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
    freeze(network)
    images = torch.randn(4, 1, 28, 28)
    assert torch.equal(network.train()(images), network.eval()(images))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copy_of_a_frozen_network_is_frozen_too(network: SmallCNN, duplicate: object) -> None:
    freeze(network)
    twin = duplicate(network)  # type: ignore[operator]
    before, twin_before = _statistics(network), _statistics(twin)
    _train_one_step(twin)
    for model, statistics in ((network, before), (twin, twin_before)):
        assert all(torch.equal(value, statistics[name]) for name, value in model.named_buffers())


def test_freezing_changes_neither_names_nor_export(network: SmallCNN) -> None:
    names = list(network.state_dict())
    freeze(network)
    network.eval()
    images = torch.randn(2, 1, 28, 28)
    assert list(network.state_dict()) == names
    exported = torch.export.export(network, (images,)).module()
    traced = torch.jit.trace(network, images)
    with torch.no_grad():
        torch.testing.assert_close(exported(images), network(images))
        torch.testing.assert_close(traced(images), network(images))


STAGES = {
    "resnet18": ["conv1", "layer1", "layer2", "layer3", "layer4", "fc"],
    "densenet121": [
        *("features.conv0", "features.denseblock1", "features.transition1", "features.denseblock2"),
        *("features.transition2", "features.denseblock3", "features.transition3", "features.denseblock4"),
        "classifier",
    ],
    "convnext_tiny": [*(f"features.{index}" for index in range(8)), "classifier"],
    "swin_t": [*(f"features.{index}" for index in range(8)), "head"],
    "vit_b_16": ["conv_proj", *(f"encoder.layers.encoder_layer_{index}" for index in range(12)), "heads"],
    "alexnet": [*(f"features.{index}" for index in (0, 3, 6, 8, 10)), "classifier.1", "classifier.4", "classifier.6"],
}


@pytest.mark.parametrize("name", STAGES)
def test_stages_are_in_order_hold_every_layer_once_and_end_with_one_layer(name: str) -> None:
    with torch.device("meta"):
        network = torchvision.models.get_model(name)
    stages = stages_of(network)
    assert [stage.name for stage in stages] == STAGES[name]
    seen = [id(p) for stage in stages for module in stage.modules for p in module.parameters()]
    assert len(seen) == len(set(seen))
    left = {key for key, p in network.named_parameters() if id(p) not in seen}
    assert left <= {"class_token", "encoder.pos_embedding"}
    assert len([p for p in stages[-1].modules[0].parameters() if p.ndim >= 2]) == 1


def test_a_network_of_one_convolution_and_one_layer_has_two_groups() -> None:
    stages = stages_of(load_object(NETWORKS["course-cnn"].build)(num_classes=3, in_channels=1, image_size=28))
    assert [[stage.name for stage in group] for group in cut_groups(stages, 2)] == [["conv"], ["fc"]]


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "course-cnn"])
def test_every_other_own_network_has_three_groups_and_the_same_inside_a_wrapper(name: str) -> None:
    network = load_object(NETWORKS[name].build)(num_classes=3, in_channels=1, image_size=32)
    stages = stages_of(network)
    assert [stage.name for stage in stages_of(Normalised(network, [0.5], [0.5]))] == [stage.name for stage in stages]
    early, late, [head] = cut_groups(stages, 3)
    assert early and late
    assert sum(p.numel() for module in head.modules for p in module.parameters()) < 60_000


def test_groups_are_cut_as_fastai_cuts_a_resnet() -> None:
    names = [[stage.name for stage in group] for group in cut_groups([Stage(n, ()) for n in STAGES["resnet18"]], 3)]
    assert names == [["conv1", "layer1", "layer2"], ["layer3", "layer4"], ["fc"]]


def trained(network: nn.Module, **options: object) -> set[str]:
    """Return the names of the children in which a training step moved a weight or a statistic."""
    config = TrainConfig(optimizer="sgd", weight_decay=0.1, **options)  # type: ignore[arg-type]
    optimizer = build_optimizer(network, config)
    before = copy.deepcopy(network.state_dict())
    network.train()
    nn.functional.cross_entropy(network(torch.rand(4, 1, 28, 28)), torch.tensor([0, 1, 2, 0])).backward()
    optimizer.step()
    return {key.split(".")[0] for key, value in network.state_dict().items() if not torch.equal(value, before[key])}


@pytest.mark.parametrize(
    ("options", "moved"),
    [
        ({"freeze": "head"}, {"head"}),
        ({"freeze": "-1"}, {"head"}),
        ({"freeze": "-2"}, {"layer3", "head"}),
        ({"freeze": "-3"}, {"layer1", "layer2", "layer3", "head"}),
        ({"freeze": "layer2"}, {"layer2", "layer3", "head"}),
        ({"freeze": "layer1"}, {"layer1", "layer2", "layer3", "head"}),
        ({"learning_rate": (0.0, 0.1)}, {"head"}),
        ({"learning_rate": (0.0, 0.1, 0.1)}, {"layer3", "head"}),
        ({"learning_rate": (0.1, 0.0, 0.1)}, {"layer1", "layer2", "head"}),
        ({"learning_rate": (0.1, 0.1, 0.0)}, {"layer1", "layer2", "layer3"}),
        ({"learning_rate": (0.1, 0.1, 0.1), "freeze": "-2"}, {"layer3", "head"}),
    ],
)
def test_a_frozen_group_or_one_at_rate_zero_does_not_move_nor_do_its_statistics(
    network: SmallCNN, options: dict[str, object], moved: set[str]
) -> None:
    assert trained(network, **options) == moved


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "muon"])
def test_each_group_has_its_rate_and_the_head_is_first(network: SmallCNN, name: str) -> None:
    groups = build_optimizer(network, TrainConfig(optimizer=name, learning_rate=(1e-4, 1e-3, 1e-2))).param_groups
    single = build_optimizer(copy.deepcopy(network), TrainConfig(optimizer=name, learning_rate=1e-2)).param_groups
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert len(rates) == len(list(network.parameters()))
    ratio = {"layer1": 0.01, "layer2": 0.01, "layer3": 0.1, "head": 1.0}
    plain = {p.shape: group["lr"] for group in single for p in group["params"]}
    for key, parameter in network.named_parameters():
        assert rates[id(parameter)] == pytest.approx(plain[parameter.shape] * ratio[key.split(".")[0]]), key
    if name != "muon":  # whose first group holds no head
        assert groups[0]["lr"] == 1e-2


def test_a_class_token_learns_with_the_first_group_and_is_frozen_with_it() -> None:
    network = torchvision.models.VisionTransformer(32, 16, 4, 2, 8, 8, num_classes=3)
    rates = layer_rates(network, TrainConfig(learning_rate=(1e-4, 1e-3, 1e-2)))
    assert rates[id(network.class_token)] == rates[id(network.encoder.pos_embedding)] == 1e-4
    frozen = layer_rates(network, TrainConfig(freeze="-2"))
    assert frozen[id(network.class_token)] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"freeze": "layer9"}, "no stage 'layer9'"),
        ({"freeze": "-4"}, "in 3 groups"),
        ({"freeze": "-0"}, "in 3 groups"),
        ({"learning_rate": (0.1,) * 5}, "4 stages"),
        ({"learning_rate": (0.0, 0.0)}, "every layer is frozen"),
        ({"learning_rate": 0.0, "freeze": "head"}, "every layer is frozen"),
    ],
)
def test_groups_that_a_network_does_not_have_are_refused(
    network: SmallCNN, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        build_optimizer(network, TrainConfig(**options))  # type: ignore[arg-type]
    assert caught.value.hint


def test_a_single_rate_of_zero_freezes_nothing(network: SmallCNN) -> None:
    build_optimizer(network, TrainConfig(learning_rate=0.0))
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_frozen_norms_learn_their_weights_and_keep_their_statistics(network: SmallCNN) -> None:
    before = copy.deepcopy(network.state_dict())
    trained(network, learning_rate=0.1, freeze_norms=True)
    moved = {key for key, value in network.state_dict().items() if not torch.equal(value, before[key])}
    assert not [key for key in moved if "running" in key or "num_batches" in key]
    assert {key for key, parameter in network.named_parameters()} == moved
