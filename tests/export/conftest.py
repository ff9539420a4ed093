"""Small networks with their plans, and one exported file of each format."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcli.export.exporting import export_model
from dlcli.export.plan import ExportPlan, ExportResult, single_graph

METADATA = {
    "task": "classification",
    "assets": {
        "labels": ["猫", "狗 🐕", 'a "quoted" \\ label', "line\nbreak", ""],
        "preprocess": {"mean": [0.5, 1e-30]},
    },
    "run": "cifar10-resnet-1",
    "versions": {"torch": "2.15"},
    "metrics": {"accuracy": 0.9375},
}


class ResidualNet(nn.Module):
    """(N, 3, H, W) images to (N, 5) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.body = nn.Conv2d(8, 8, 3, padding=1)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(8, 5)

    def forward(self, image: Tensor) -> Tensor:
        features = self.norm(self.stem(image)).relu()
        features = features + self.body(features).relu()
        return self.head(self.dropout(features.mean((2, 3))))


class TwoToTwo(nn.Module):
    """Two inputs to scores and their indices."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(4, 6)
        self.right = nn.Linear(5, 6)

    def forward(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        scores = (self.left(left) + self.right(right)).tanh()
        return scores, scores.argmax(1)


class LengthsLSTM(nn.Module):
    """(N, T) tokens and (N,) lengths to (N, 3) logits from the state at each sentence's end."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 8)
        self.lstm = nn.LSTM(8, 12, batch_first=True)
        self.head = nn.Linear(12, 3)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        states = self.lstm(self.embedding(tokens))[0]
        last = (lengths - 1)[:, None, None].expand(-1, 1, states.shape[2])
        return self.head(states.gather(1, last).squeeze(1))


class PackedLSTM(LengthsLSTM):
    """The same by packed sequences, which the dynamo exporter cannot write."""

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        pack = nn.utils.rnn.pack_padded_sequence
        packed = pack(self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
        states, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.head(states.sum(1))


def plan_of(
    module: nn.Module,
    outputs: tuple[str, ...],
    samples: list[dict[str, np.ndarray]],
    dynamic: Mapping[str, Mapping[int, str]],
    **changes: Any,
) -> ExportPlan:
    """Return a plan whose example is the first of the samples."""
    example = {name: torch.from_numpy(array) for name, array in samples[0].items()}
    plan = single_graph(
        module,
        inputs=tuple(example),
        outputs=outputs,
        samples=samples[1:],
        example=example,
        dynamic=dynamic,
        metadata=METADATA,
    )
    return with_graph(plan, **changes)


def with_graph(plan: ExportPlan, **changes: Any) -> ExportPlan:
    """Return the plan with its only graph changed."""
    return dataclasses.replace(plan, graphs=(dataclasses.replace(plan.graphs[0], **changes),))


def image_plan(module: nn.Module | None = None, **changes: Any) -> ExportPlan:
    rng = np.random.default_rng(0)
    sizes = [(2, 8, 8), (1, 8, 8), (3, 8, 8), (7, 9, 12)]
    samples = [{"image": rng.standard_normal((n, 3, h, w), dtype=np.float32)} for n, h, w in sizes]
    return plan_of(
        module or ResidualNet(), ("logits",), samples, {"image": {0: "batch", 2: "height", 3: "width"}}, **changes
    )


def two_plan(
    module: nn.Module | None = None, outputs: tuple[str, ...] = ("scores", "best"), **changes: Any
) -> ExportPlan:
    rng = np.random.default_rng(0)
    samples = [
        {"left": rng.standard_normal((n, 4), dtype=np.float32), "right": rng.standard_normal((n, 5), dtype=np.float32)}
        for n in (2, 1, 3, 7)
    ]
    return plan_of(module or TwoToTwo(), outputs, samples, {"left": {0: "batch"}, "right": {0: "batch"}}, **changes)


def sentence_plan(module: nn.Module | None = None, **changes: Any) -> ExportPlan:
    rng = np.random.default_rng(0)
    samples = []
    for num_sentences, longest in ((2, 6), (1, 4), (3, 9), (7, 5)):
        lengths = rng.integers(1, longest + 1, num_sentences)
        lengths[0] = longest
        samples.append({"tokens": rng.integers(0, 50, (num_sentences, longest)), "lengths": lengths})
    dynamic = {"tokens": {0: "batch", 1: "time"}, "lengths": {0: "batch"}}
    return plan_of(module or LengthsLSTM(), ("logits",), samples, dynamic, **changes)


PLANS: Mapping[str, Callable[..., ExportPlan]] = {"image": image_plan, "two": two_plan, "sentence": sentence_plan}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def plans() -> Mapping[str, Callable[..., ExportPlan]]:
    """Builders of plans by name: image, two (inputs and outputs), sentence."""
    return PLANS


@pytest.fixture(scope="session")
def packed_lstm() -> type[nn.Module]:
    return PackedLSTM


@pytest.fixture(scope="session")
def exported_image_net(tmp_path_factory: pytest.TempPathFactory) -> tuple[ExportPlan, ExportResult]:
    """The image network as ONNX, by the dynamo exporter."""
    torch.manual_seed(0)
    plan = image_plan(exporters=("dynamo",))
    folder = tmp_path_factory.mktemp("模 型")
    return plan, export_model(plan, "onnx", folder / "网络.onnx", report=lambda line: None)


@pytest.fixture(scope="session")
def model_files(
    exported_image_net: tuple[ExportPlan, ExportResult], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Format -> the same network's file; "checkpoint" its weights as `torch.save` writes them."""
    plan, result = exported_image_net
    folder = tmp_path_factory.mktemp("models")
    traced = export_model(plan, "torchscript", folder / "net.torchscript", report=lambda line: None)
    program = export_model(plan, "pt2", folder / "net.pt2", report=lambda line: None)
    torch.save({"model": plan.graphs[0].module.state_dict()}, folder / "best.pt")
    return {"onnx": result.path, "torchscript": traced.path, "pt2": program.path, "checkpoint": folder / "best.pt"}
