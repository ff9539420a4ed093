from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from toys.detector import Detector, detector_plan, images_with_ties, segmenter_plan

from dlcli.core.errors import ParityError
from dlcli.export.align import detections_aligned
from dlcli.export.exporting import export_model
from dlcli.export.plan import ExportPlan
from dlcli.export.verify import compare, parity_gate, reference_answers

Arrays = dict[str, np.ndarray]


def detections(*rows: tuple[float, float, int]) -> Arrays:
    """One image of (left edge, score, label) in four places."""
    boxes = np.zeros((1, 4, 4), np.float32)
    scores, labels = np.zeros((1, 4), np.float32), np.zeros((1, 4), np.int64)
    for place, (left, score, label) in enumerate(rows):
        boxes[0, place] = (left, 0, left + 2, 2)
        scores[0, place], labels[0, place] = score, label
    return {"boxes": boxes, "scores": scores, "labels": labels, "counts": np.array([len(rows)])}


REFERENCE = detections((0, 0.9, 1), (5, 0.5, 1), (9, 0.5, 2), (12, 0.5, 1))


def aligned(answer: Arrays) -> Arrays:
    return dict(detections_aligned()(REFERENCE, answer))


@pytest.mark.parametrize("order", [[0, 3, 2, 1], [0, 2, 1, 3], [0, 3, 1, 2]])
def test_tied_detections_take_the_order_of_the_reference(order: list[int]) -> None:
    answer = {name: values if name == "counts" else values[:, order] for name, values in REFERENCE.items()}
    assert compare(REFERENCE, answer).value > 0.1
    assert compare(REFERENCE, aligned(answer)).value == 0.0


@pytest.mark.parametrize(
    "answer",
    [
        detections((5, 0.5, 1), (0, 0.9, 1), (9, 0.5, 2), (12, 0.5, 1)),  # unequal scores in the wrong order
        detections((0, 0.9, 1), (5, 0.5, 2), (9, 0.5, 2), (12, 0.5, 1)),
        detections((0, 0.9, 1), (5, 0.5, 1), (9, 0.5, 2), (14, 0.5, 1)),
        detections((0, 0.9, 1), (5, 0.5, 1), (9, 0.5, 2)),
        detections((0, 0.9, 1), (5, 0.5, 1), (5, 0.5, 1), (12, 0.5, 1)),
    ],
)
def test_a_difference_stays_one(answer: Arrays) -> None:
    assert compare(REFERENCE, aligned(answer)).value > 0.1
    for name, values in aligned(answer).items():
        np.testing.assert_array_equal(np.sort(values, axis=None), np.sort(answer[name], axis=None))


def test_what_lies_behind_the_count_is_left_alone() -> None:
    answer = {name: values.copy() for name, values in detections((0, 0.9, 1), (5, 0.5, 1)).items()}
    answer["scores"][0, 2:] = 0.5
    assert aligned(answer)["boxes"].tolist() == answer["boxes"].tolist()


def test_answers_of_another_shape_are_left_to_the_comparison() -> None:
    answer = {name: values[:, :3] if values.ndim > 1 else values for name, values in REFERENCE.items()}
    assert aligned(answer) == answer
    assert compare(REFERENCE, aligned(answer)).value == np.inf


def test_masks_move_with_their_detections() -> None:
    masks = np.arange(4)[None, :, None, None] * np.ones((1, 4, 2, 2))
    order = [0, 3, 2, 1]
    answer = {name: values if name == "counts" else values[:, order] for name, values in REFERENCE.items()}
    moved = aligned({**answer, "masks": masks[:, order]})
    np.testing.assert_array_equal(moved["masks"], masks)


def with_twin(plan: ExportPlan) -> ExportPlan:
    """Return the plan with a module of the same weights that orders ties the other way."""
    twin = Detector(reverses_ties=True).eval()
    twin.load_state_dict(plan.graphs[0].module.state_dict())
    return dataclasses.replace(plan, graphs=(dataclasses.replace(plan.graphs[0], module=twin),))


def test_a_file_that_orders_ties_otherwise_passes_the_gate_only_with_align(tmp_path: Path) -> None:
    plan = detector_plan(exporters=("legacy",))
    scores = plan.graphs[0].module(torch.from_numpy(images_with_ties()))[1]
    assert (scores[:, 0] - scores[:, 1]).abs().max() < 1e-6  # there are ties
    other = export_model(with_twin(plan), "onnx", tmp_path / "twin.onnx", report=lambda line: None)
    [graph] = plan.graphs
    references = reference_answers(graph.module, graph)
    with pytest.raises(ParityError):
        parity_gate(graph, references, other.path)
    checks = parity_gate(dataclasses.replace(graph, align=detections_aligned()), references, other.path)
    assert max(check.difference for check in checks) < 1e-5


@pytest.mark.parametrize("exporter", ["dynamo", "legacy"])
def test_a_detector_exports(exporter: str, tmp_path: Path) -> None:
    plan = detector_plan(exporters=(exporter,), align=detections_aligned())
    result = export_model(plan, "onnx", tmp_path / "net.onnx", report=lambda line: None)
    assert result.exporter == exporter
    assert result.max_difference < 1e-5


def test_a_share_of_a_mask_may_differ_where_the_plan_allows_it(tmp_path: Path) -> None:
    plan = segmenter_plan(exporters=("legacy",))
    result = export_model(plan, "onnx", tmp_path / "net.onnx", report=lambda line: None)
    assert result.max_difference == 0.0
    [graph] = plan.graphs
    references = [{"mask": answer["mask"].copy()} for answer in reference_answers(graph.module, graph)]
    references[2]["mask"][0, 0, :2] += 1  # 2 of 7 * 256 pixels
    share = 2 / (7 * 256)
    with pytest.raises(ParityError) as caught:
        parity_gate(graph, references, result.path)
    assert caught.value.details == ("sample 2 (batch 7): mask has 2 of 1792 values unequal; tolerance 0",)
    with pytest.raises(ParityError):
        parity_gate(dataclasses.replace(graph, tolerance={"mask": 0.9 * share}), references, result.path)
    checks = parity_gate(dataclasses.replace(graph, tolerance={"mask": share}), references, result.path)
    assert checks[2].difference == share
