"""Wren in ONNX Runtime: the suppression is in the graph, batch and sides are free."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from torch import Tensor, nn
from toys.shallow import NAME, add_shallow

from dlcli.export.align import detections_aligned
from dlcli.export.exporting import Variant, export_model
from dlcli.export.half import halve
from dlcli.export.plan import ExportPlan, single_graph
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


def selecting(limits: Limits, samples: Sequence[dict[str, np.ndarray]], example: dict[str, np.ndarray]) -> ExportPlan:
    """Return the plan of `select` alone."""
    return single_graph(
        Selecting(limits),
        inputs=tuple(example),
        outputs=OUTPUTS,
        samples=samples,
        example={name: torch.from_numpy(array) for name, array in example.items()},
        dynamic={name: {0: "batch", 1: "points"} for name in example},
        metadata={"task": "detection", "assets": {}},
        exporters=("dynamo",),
        translations=ONNX_TRANSLATIONS,
        tolerance=0.0,
    )


@pytest.mark.slow
@pytest.mark.parametrize("iou", [0.5, None])
def test_selection_is_equal_also_of_equal_scores(tmp_path: Path, iou: float | None) -> None:
    names = ("given_boxes", "given_scores")
    samples = [dict(zip(names, crowd(*sizes).values(), strict=True)) for sizes in ((1, 50), (3, 400), (3, 7))]
    example = dict(zip(names, crowd(2, 9).values(), strict=True))
    plan = selecting(Limits(score=0.2, iou=iou, most=20), samples, example)
    result = export_model(plan, "onnx", tmp_path / "select.onnx", report=lambda _: None)
    assert result.max_difference == 0
    nodes = {node.op_type for node in onnx.load(str(result.path)).graph.node}
    assert ("NonMaxSuppression" in nodes) is (iou is not None)


class GatherElements(OpRun):
    """The operator as the reference computes it, which takes 64 numbers at most."""

    def _run(self, data: np.ndarray, indices: np.ndarray, axis: int = 0) -> tuple[np.ndarray]:
        return (np.take_along_axis(data, indices, axis),)


def sparse(points: int, batch: int = 1, classes: int = 120, found: int = 40) -> dict[str, np.ndarray]:
    """Return boxes of 640 pixels, of which a few have a score; each second one lies on the one before, of its class."""
    numbers = np.random.default_rng(0)
    corners = numbers.uniform(0, 590, (1, points, 2))
    boxes = np.concatenate([corners, corners + numbers.uniform(20, 40, (1, points, 2))], axis=2)
    scores = np.zeros((1, points, classes))
    rows, labels = np.sort(numbers.choice(points, found, replace=False)), numbers.integers(60, classes, found)
    boxes[0, rows[1::2]], labels[1::2] = boxes[0, rows[::2]] + 2, labels[::2]
    scores[0, rows, labels] = 0.9 - 0.01 * np.arange(found)
    arrays = {"given_boxes": boxes.astype(np.float32), "given_scores": scores.astype(np.float32)}
    return {name: np.repeat(array, batch, axis=0) for name, array in arrays.items()}


@pytest.mark.slow
def test_selection_is_right_where_fp16_is_computed(tmp_path: Path) -> None:
    """The reference runs fp16 as it is. There, places in a list of 108,000 were infinite, and classes lay together."""
    limits, samples = Limits(score=0.2, iou=0.5, most=50), [sparse(900), sparse(60)]
    plan = selecting(limits, samples, sparse(45, batch=2))
    result = export_model(plan, "onnx", tmp_path / "select.onnx", report=lambda _: None)
    halve(result.path, samples)
    program = ReferenceEvaluator(onnx.load(str(result.path)), new_ops=[GatherElements])
    for sample in samples:
        given = [torch.from_numpy(array) for array in sample.values()]
        boxes, scores, labels, counts = select(given[0], given[1], limits)[:4]
        answer = dict(zip(OUTPUTS, program.run(None, sample), strict=True))
        assert answer["counts"].tolist() == counts.tolist() == [20]
        np.testing.assert_array_equal(answer["labels"], labels)
        np.testing.assert_allclose(answer["boxes"], boxes, atol=0.25)
        np.testing.assert_allclose(answer["scores"], scores, atol=1e-3)


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
