"""Norms are folded where that changes no answer, and stay where it would."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from dlcli.export.exporting import export_model
from dlcli.export.folding import count_norms, fold_norms
from dlcli.export.plan import ExportPlan, cut_samples, single_graph


def trained(module: nn.Module) -> nn.Module:
    """Return the module with norms that are not the identity."""
    torch.manual_seed(0)
    for each in module.modules():
        if isinstance(each, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(each.running_mean, -1, 1)  # type: ignore[arg-type]
            nn.init.uniform_(each.running_var, 0.5, 2)  # type: ignore[arg-type]
            nn.init.uniform_(each.weight, 0.5, 2)
            nn.init.uniform_(each.bias, -1, 1)
    return module.eval()


class Residual(nn.Module):
    """Norms behind convolutions, one before, and one behind a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.BatchNorm2d(3)
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
        self.branch = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.hidden = nn.Linear(4, 6)
        self.norm = nn.BatchNorm1d(6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(self.before(x))
        return self.norm(self.hidden(torch.relu(x + self.branch(x)).mean((2, 3))))


class Shared(nn.Module):
    """A convolution whose output somebody else takes, too, and one that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        self.second, self.second_norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        self.third, self.third_norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        once = self.first(x)
        x = self.first_norm(once) + once
        x = self.second_norm(self.second(self.second(x)))
        return self.third_norm(self.third(x)).flatten(1)


def plan_of(module: nn.Module) -> ExportPlan:
    values = np.random.default_rng(0).normal(size=(11, 3, 6, 6)).astype(np.float32)
    samples = cut_samples({"x": values})
    metadata = {"task": "classification", "assets": {}}
    return single_graph(module, inputs=("x",), outputs=("y",), samples=samples, metadata=metadata)


def test_folded_norms_are_gone_and_the_answers_are_equal() -> None:
    module = trained(Residual())
    graph = plan_of(module).graphs[0]
    x = torch.from_numpy(graph.samples[2]["x"])
    expected = module(x)
    folded = fold_norms(module, graph)
    assert count_norms(folded) == 1  # the one before all convolutions
    assert torch.allclose(folded(x), expected, atol=1e-5)
    assert isinstance(folded.get_submodule("before"), nn.BatchNorm2d)


def test_a_norm_stays_where_its_input_is_used_elsewhere_or_its_layer_twice() -> None:
    module = trained(Shared())
    graph = plan_of(module).graphs[0]
    x = torch.from_numpy(graph.samples[2]["x"])
    expected = module(x)
    folded = fold_norms(module, graph)
    left = [name for name, each in folded.named_modules() if isinstance(each, nn.BatchNorm2d)]
    assert left == ["first_norm", "second_norm"]
    assert torch.allclose(folded(x), expected, atol=1e-5)


def test_a_network_without_norms_stays_as_it_is() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()).eval()
    graph = plan_of(module).graphs[0]
    before = {name: value.clone() for name, value in module.state_dict().items()}
    fold_norms(module, graph)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


class Convolutions(nn.Module):
    """Only norms that can be folded."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).mean((2, 3))


@pytest.mark.parametrize("exporter", ["dynamo", "legacy", "trace"])
def test_a_file_has_no_norm_left_and_answers_as_the_module(exporter: str, tmp_path: Path) -> None:
    plan = plan_of(trained(Convolutions()))
    graph = dataclasses.replace(plan.graphs[0], exporters=(exporter,), prepare=fold_norms)
    format = "torchscript" if exporter == "trace" else "onnx"
    path = tmp_path / "m.file"
    result = export_model(ExportPlan((graph,), plan.metadata), format, path, report=lambda line: None)
    assert result.exporter == exporter
    assert result.max_difference < 1e-4
    if format == "onnx":
        assert "BatchNormalization" not in {node.op_type for node in onnx.load(str(path)).graph.node}
    else:
        code = str(torch.jit.load(str(path)).inlined_graph)
        assert "batch_norm" not in code
        assert "_convolution" in code


def test_the_file_is_compared_with_the_module_as_it_was(tmp_path: Path) -> None:
    from dlcli.core.errors import ParityError

    def spoil(module: nn.Module, graph: object) -> nn.Module:
        with torch.no_grad():
            for value in module.parameters():
                value.mul_(1.1)
        return module

    plan = plan_of(trained(Convolutions()))
    graph = dataclasses.replace(plan.graphs[0], prepare=spoil)
    with pytest.raises(ParityError):
        export_model(ExportPlan((graph,), plan.metadata), "onnx", tmp_path / "m.onnx", report=lambda line: None)
    assert not list(tmp_path.iterdir())
