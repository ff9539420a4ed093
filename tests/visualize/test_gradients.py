"""Activations and gradients by layer, against values worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcli.visualize import gradients
from dlcli.visualize.gradients import LayerFlow, draw_flow, measure_flow


def test_a_chain_of_linear_layers_is_the_one_worked_by_hand() -> None:
    model = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[3.0], [-4.0]]))
        model[2].weight.copy_(torch.tensor([[2.0, 5.0]]))
    first, last = measure_flow(model, lambda: model(torch.tensor([[2.0]])).sum())
    # Outputs 6 and -8; only the first passes the ReLU, times 2. Gradients 2 and 0, so of the weights 4 and 0.
    assert first == LayerFlow("0", "Linear", math.sqrt(50), math.sqrt(2), math.sqrt(8), math.sqrt(12.5))
    assert last == LayerFlow("2", "Linear", 12.0, 1.0, math.sqrt(18), math.sqrt(14.5))


def test_a_layer_changed_in_place_is_measured_as_it_was() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
    images = torch.randn(5, 3)
    plain = measure_flow(model, lambda: model(images).square().mean())
    for index in (1, 3):
        model[index].inplace = True
    assert measure_flow(model, lambda: model(images).square().mean()) == plain


def test_sigmoids_let_gradients_vanish_toward_the_input() -> None:
    torch.manual_seed(0)
    layers = [layer for _ in range(8) for layer in (nn.Linear(16, 16), nn.Sigmoid())]
    model, images = nn.Sequential(*layers), torch.randn(32, 16)
    flows = measure_flow(model, lambda: model(images).square().mean())
    gradients = [flow.gradient for flow in flows]
    assert gradients == sorted(gradients)
    assert gradients[0] < 1e-4 * gradients[-1]


def test_calls_of_one_layer_are_taken_together_and_frozen_weights_have_no_gradient() -> None:
    first, frozen = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    for layer in (first, frozen):
        nn.init.eye_(layer.weight)
    frozen.weight.requires_grad_(False)
    model = nn.Sequential(first, Twice(frozen))
    _, flow = measure_flow(model, lambda: model(torch.tensor([[1.0, 3.0]])).sum())
    assert flow.name == "1.layer"
    assert (flow.activation, flow.weight_gradient, flow.gradient) == (pytest.approx(math.sqrt(5)), 0.0, 1.0)


class Twice(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, values: Tensor) -> Tensor:
        return self.layer(self.layer(values))


def test_norms_are_left_out_and_recurrent_and_embedding_layers_are_not() -> None:
    torch.manual_seed(0)
    embedding, lstm, norm = nn.Embedding(9, 4, sparse=True), nn.LSTM(4, 5, batch_first=True), nn.LayerNorm(5)
    model = nn.ModuleList([embedding, lstm, norm])
    flows = measure_flow(model, lambda: norm(lstm(embedding(torch.tensor([[1, 2, 3]])))[0]).square().sum())
    assert [(flow.name, flow.kind) for flow in flows] == [("0", "Embedding"), ("1", "LSTM")]
    assert all(flow.weight_gradient > 0 and flow.activation > 0 for flow in flows)


def test_parameters_get_no_gradients_and_hooks_are_removed() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 1))
    measure_flow(model, lambda: model(torch.randn(3, 1, 4, 4)).sum())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("count", [1, 12])
def test_a_picture_is_drawn_of_any_number_of_layers_and_of_zeros(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "MOST_LAYERS", 8)
    flows = [LayerFlow(f"层{index}", "Linear", 1.0, 10.0**-index, 0.0, 0.0) for index in range(count)]
    picture = draw_flow(flows, title="运行")
    assert picture.dtype == np.uint8
    assert picture.shape == draw_flow(flows[:8], title="运行").shape
