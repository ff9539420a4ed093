"""Wren in ONNX Runtime: the suppression is in the graph, batch and sides are free."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from toys.shallow import NAME, add_shallow

from dlcli.export.align import detections_aligned
from dlcli.export.exporting import Variant, export_model
from dlcli.export.plan import single_graph
from dlcli.export.runtime import open_model
from dlcli.models.detection.detector import Limits
from dlcli.models.detection.suppression import ONNX_TRANSLATIONS, select
from dlcli.models.detection.wren import build_wren

OUTPUTS = ("boxes", "scores", "labels", "counts")


class Selecting(nn.Module):
    """`select` alone."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.limits = limits

    def forward(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor | None, ...]:
        return tuple(select(boxes, scores, self.limits)[:4])


class Detecting(nn.Module):
    """A detector's `detect` with its limits."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.network, self.limits = build_wren(2, backbone=NAME, width=16), limits
        for output in (self.network.head.class_output, self.network.head.box_output):
            nn.init.normal_(output.weight, std=0.5)

    def forward(self, images: Tensor) -> tuple[Tensor | None, ...]:
        return tuple(self.network.detect(images, self.limits)[:4])


def crowd(batch: int, points: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return overlapping boxes, of which many have equal scores."""
    numbers = np.random.default_rng(seed)
    corners = numbers.uniform(0, 60, (batch, points, 2))
    boxes = np.concatenate([corners, corners + numbers.uniform(5, 40, (batch, points, 2))], axis=2)
    scores = numbers.integers(0, 40, (batch, points, 3)) / 40
    return {"boxes": boxes.astype(np.float32), "scores": scores.astype(np.float32)}


@pytest.mark.slow
@pytest.mark.parametrize("iou", [0.5, None])
def test_selection_is_equal_also_of_equal_scores(tmp_path: Path, iou: float | None) -> None:
    names = ("given_boxes", "given_scores")
    samples = [dict(zip(names, crowd(*sizes).values(), strict=True)) for sizes in ((1, 50), (3, 400), (3, 7))]
    plan = single_graph(
        Selecting(Limits(score=0.2, iou=iou, most=20)),
        inputs=names,
        outputs=OUTPUTS,
        samples=samples,
        example={name: torch.from_numpy(array) for name, array in zip(names, crowd(2, 9).values(), strict=True)},
        dynamic={name: {0: "batch", 1: "points"} for name in names},
        metadata={"task": "detection", "assets": {}},
        exporters=("dynamo",),
        translations=ONNX_TRANSLATIONS,
        tolerance=0.0,
    )
    result = export_model(plan, "onnx", tmp_path / "select.onnx", report=lambda _: None)
    assert result.max_difference == 0
    nodes = {node.op_type for node in onnx.load(str(result.path)).graph.node}
    assert ("NonMaxSuppression" in nodes) is (iou is not None)


@pytest.mark.slow
def test_a_network_is_equal_at_other_sizes_and_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_shallow(monkeypatch)
    numbers = np.random.default_rng(0)
    sizes = ((1, 96, 64), (3, 64, 160), (3, 96, 64), (1, 32, 32))
    samples = [{"images": numbers.normal(size=(n, 3, h, w)).astype(np.float32)} for n, h, w in sizes]
    plan = single_graph(
        Detecting(Limits()).eval(),
        inputs=("images",),
        outputs=OUTPUTS,
        samples=samples,
        example={"images": torch.randn(2, 3, 64, 96)},
        dynamic={"images": {0: "batch", 2: "height", 3: "width"}},
        multiples={"height": 32, "width": 32},
        metadata={"task": "detection", "assets": {}},
        exporters=("dynamo",),
        translations=ONNX_TRANSLATIONS,
        tolerance={"boxes": 1e-3, "scores": 1e-3},
        align=detections_aligned,
    )
    result = export_model(plan, "onnx", tmp_path / "wren.onnx", report=lambda _: None)
    found = open_model(result.path).run(samples[1])
    assert found["boxes"].shape == (3, 100, 4)
    assert found["counts"].min() > 10
    half = export_model(plan, "onnx", tmp_path / "half.onnx", variant=Variant(half=True), report=lambda _: None)
    assert half.bytes < 0.7 * result.bytes
