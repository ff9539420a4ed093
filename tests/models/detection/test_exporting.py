"""Detectors keep nothing of the example's sizes when torch.export traces them; the exporter of ONNX checks no guard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toys.shallow import NAME as BACKBONE
from toys.shallow import add_shallow

from dlcli.export.align import detections_aligned
from dlcli.export.exporting import export_model
from dlcli.export.plan import single_graph
from dlcli.models.detection.detector import Limits
from dlcli.models.detection.detr import Detr
from dlcli.models.detection.ssd import Ssd
from dlcli.models.detection.ssd_lesson import SsdLesson

BUILDERS = {
    "ssd": lambda: Ssd(num_classes=3, backbone=BACKBONE),
    "lesson": lambda: SsdLesson(num_classes=3, backbone=BACKBONE),
    "detr": lambda: Detr(num_classes=3, backbone=BACKBONE, width=64, heads=4, queries=10),
}


class _Dense(nn.Module):
    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.detector.detect(images, Limits(score=0.0, most=20))[:4])


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILDERS)
def test_a_traced_detector_takes_other_batches_and_canvases(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    add_shallow(monkeypatch)
    network = _Dense(BUILDERS[name]()).eval()
    sizes = {0: torch.export.Dim("n"), 2: 32 * torch.export.Dim("h"), 3: 32 * torch.export.Dim("w")}
    with torch.no_grad():
        traced = torch.export.export(network, (torch.randn(2, 3, 320, 384),), dynamic_shapes=(sizes,)).module()
        images = torch.randn(3, 3, 384, 288)
        for found, expected in zip(traced(images), network(images), strict=True):
            torch.testing.assert_close(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ssd", "detr"])
def test_torchscript_answers_alike_for_other_batches_and_canvases(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_shallow(monkeypatch)
    numbers = np.random.default_rng(0)
    sizes = ((2, 64, 96), (1, 96, 64), (3, 96, 128))
    samples = [{"images": numbers.normal(size=(count, 3, *sides)).astype(np.float32)} for count, *sides in sizes]
    plan = single_graph(
        _Dense(BUILDERS[name]()).eval(),
        inputs=("images",),
        outputs=("boxes", "scores", "labels", "counts"),
        samples=samples,
        example={"images": torch.from_numpy(samples[0]["images"])},
        dynamic={"images": {0: "batch", 2: "height", 3: "width"}},
        metadata={"task": "detection", "assets": {}},
        tolerance={"boxes": 1e-3, "scores": 1e-3},
        align=detections_aligned,
    )
    export_model(plan, "torchscript", tmp_path / "model.torchscript", report=lambda _: None)  # the gate compares
