from __future__ import annotations

import copy

import torch
from torch import nn

from dlcli.core.train_config import TrainConfig
from dlcli.engine.optim.layers import freeze_layers, layer_rates
from dlcli.models.costs import LayerSummary
from dlcli.models.images.lenet import LeNet, SmallCNN
from dlcli.models.images.normalised import Normalised
from dlcli.models.images.zoo import build_torchvision
from dlcli.models.summary import summarise, summarise_calls


def test_summary_of_a_small_network_equals_the_one_worked_by_hand() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    summary = summarise(model, torch.zeros(5, 1, 8, 8))
    image, maps = 64 * 4, 4 * 64 * 4  # bytes
    assert summary.layers == (
        LayerSummary("0", "Conv2d", (4, 8, 8), 40, 9 * 4 * 64, image + 40 * 4 + maps, 3),
        LayerSummary("1", "ReLU", (4, 8, 8), 0, 0, 2 * maps, 3),
        LayerSummary("2", "AdaptiveAvgPool2d", (4, 1, 1), 0, 0, maps + 16, None),
        LayerSummary("3", "Flatten", (4,), 0, 0, 0, None),
        LayerSummary("4", "Linear", (2,), 10, 8, 16 + 40 + 8, None),
    )
    assert summary.bytes_moved == sum(layer.bytes_moved for layer in summary.layers) == 416 + 3 * 1024 + 1024 + 16 + 64
    assert (summary.parameters, summary.trainable, summary.parameter_bytes) == (50, 50, 200)
    assert summary.multiply_adds == 9 * 4 * 64 + 4 * 2
    assert summary.receptive_field == 3


def test_model_and_random_generator_stay_as_they_were() -> None:
    model = SmallCNN(num_classes=3, width=4)
    freeze_layers(model, layer_rates(model, TrainConfig(freeze="head")))
    model.train()
    model.layer2.eval()
    weights, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    hooks = [len(module._forward_hooks) for module in model.modules()]
    generator = torch.get_rng_state()
    summary = summarise(model, torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0)))
    assert summary.trainable == 16 * 3 + 3
    assert torch.equal(torch.get_rng_state(), generator)
    assert [module.training for module in model.modules()] == modes
    assert [len(module._forward_hooks) for module in model.modules()] == hooks
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_layers_account_for_every_parameter_of_a_transformer() -> None:
    with torch.device("meta"):  # shapes are enough
        summary = summarise(build_torchvision("vit_b_32", num_classes=1000), torch.zeros(1, 3, 224, 224))
    assert sum(layer.parameters for layer in summary.layers) == summary.parameters == 88_224_232
    assert round(summary.multiply_adds / 1e9, 3) == 4.409  # as torchvision's page has it, attention products included
    assert summary.receptive_field is None


def test_parameters_that_layers_share_are_counted_once() -> None:
    first, second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    second.weight = first.weight
    summary = summarise(nn.Sequential(first, second), torch.zeros(1, 4))
    assert (summary.parameters, [layer.parameters for layer in summary.layers]) == (16, [16, 0])
    assert (summary.multiply_adds, summary.receptive_field) == (32, None)


def test_parts_that_are_called_one_by_one_are_counted_as_those_of_one_network() -> None:
    network = nn.ModuleDict({"encoder": nn.Linear(5, 3), "step": nn.Sequential(nn.Linear(3, 4), nn.Tanh())})
    encoder, step = (network["encoder"], [torch.zeros(2, 5)]), (network["step"], [torch.zeros(2, 3)])
    once, twice = summarise_calls(network, [encoder, step]), summarise_calls(network, [encoder, step, step])
    assert [(layer.name, layer.parameters) for layer in once.layers] == [("encoder", 18), ("step.0", 16), ("step.1", 0)]
    assert [layer.name for layer in twice.layers] == [layer.name for layer in once.layers]
    assert [layer.multiply_adds for layer in once.layers] == [15, 12, 0]
    assert [layer.multiply_adds for layer in twice.layers] == [15, 24, 0], "in all calls of a layer"
    assert twice.layers[1].bytes_moved == 2 * once.layers[1].bytes_moved == 2 * (12 + 64 + 16)
    assert twice.parameters == once.parameters == 18 + 16
    assert (once.multiply_adds, twice.multiply_adds) == (5 * 3 + 3 * 4, 5 * 3 + 2 * 3 * 4)
    assert once.receptive_field is None


def test_resnet18_has_its_published_cost_and_its_layers_account_for_it() -> None:
    summary = summarise(build_torchvision("resnet18", num_classes=1000), torch.zeros(1, 3, 224, 224))
    # 11,689,512 parameters and 1.81 G multiply-adds, as torchvision's page has them.
    assert summary.parameters == 11_689_512
    assert round(summary.multiply_adds / 1e9, 2) == 1.81
    assert sum(layer.multiply_adds for layer in summary.layers) == summary.multiply_adds
    fields = {layer.name: layer.receptive_field for layer in summary.layers}
    # After the stem 7 at step 2, the pool adds 2 * 2; blocks of stage k add 2 * 2 * step, the first of a stage half.
    expected = {"conv1": 7, "maxpool": 11, "layer1.0.conv1": 19, "layer1.1.conv2": 43, "layer2.0.conv1": 51}
    expected |= {"layer2.1.conv2": 99, "layer3.1.conv2": 211, "layer4.1.conv2": 435, "layer4.1.bn2": 435, "fc": None}
    assert {name: fields[name] for name in expected} == expected


def test_lenets_layers_are_those_worked_by_hand() -> None:
    summary = summarise(LeNet(num_classes=10), torch.zeros(1, 1, 28, 28))
    found = {layer.name: (layer.multiply_adds, layer.receptive_field) for layer in summary.layers}
    # 28 * 28 units of 6 filters of 25 weights; 10 * 10 of 16 filters of 150.
    expected = {"layer1.0": (117_600, 5), "layer1.2": (0, 6), "layer2.0": (240_000, 14), "layer2.2": (0, 16)}
    expected |= {"hidden.0": (48_000, None), "hidden.2": (10_080, None), "head": (840, None)}
    assert {name: found[name] for name in expected} == expected


def test_what_changes_nothing_moves_nothing_and_what_works_in_place_does() -> None:
    layers = [nn.Identity(), nn.Dropout(0.5), nn.ReLU(inplace=True), nn.Flatten(), nn.Unflatten(1, (2, 8))]
    summary = summarise(nn.Sequential(*layers), torch.zeros(1, 2, 2, 4))
    assert [layer.bytes_moved for layer in summary.layers] == [0, 0, 2 * 16 * 4, 0, 0]


def test_a_layer_around_others_is_not_charged_with_their_products() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.inner = nn.Parameter(torch.ones(3)), nn.Linear(4, 3)

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return self.inner(values) * self.scale @ torch.ones(3, 5)

    summary = summarise(nn.Sequential(Scaled()), torch.zeros(1, 4))
    assert {layer.name: (layer.multiply_adds, layer.parameters) for layer in summary.layers} == {
        "0": (15, 3),
        "0.inner": (12, 15),
    }
    assert summary.multiply_adds == 27


def test_receptive_field_of_resnet18_is_the_published_one() -> None:
    # 7, pool 11; four 3x3 at step 4: 43; one at 4 and three at 8: 99; one at 8 and three at 16: 211; one at 16 and
    # three at 32: 435.
    model = build_torchvision("resnet18", num_classes=2)
    assert summarise(model, torch.zeros(1, 3, 480, 480)).receptive_field == 435


def test_uint8_pixels_and_a_normalising_wrapper_change_no_receptive_field() -> None:
    model = SmallCNN(num_classes=3, width=4)
    plain = summarise(model, torch.zeros(1, 1, 64, 64)).receptive_field
    wrapped = summarise(Normalised(model, [0.9], [0.1]), torch.zeros(1, 1, 64, 64, dtype=torch.uint8)).receptive_field
    # 3x3 twice 5, pool 6, 3x3 twice at step 2: 14, pool 16, 3x3 at step 4: 24.
    assert plain == wrapped == 24
    assert type(plain) is int


def test_max_pool_and_dead_units_hide_no_pixel() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(4))
    nn.init.zeros_(model[0].weight)
    nn.init.constant_(model[1].bias, -1.0)
    assert summarise(model, torch.zeros(1, 1, 32, 32)).receptive_field == 6


def test_bf16_network_is_measured_too() -> None:
    model = SmallCNN(num_classes=3, width=4).bfloat16()
    summary = summarise(model, torch.zeros(1, 1, 64, 64, dtype=torch.bfloat16))
    assert (summary.parameter_bytes, summary.receptive_field) == (2 * summary.parameters, 24)
