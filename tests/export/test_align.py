from __future__ import annotations

import dataclasses
from collections.abc import Mapping
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


EXACT = {"boxes": 0.5, "scores": 1e-3, "labels": 0.0, "counts": 0.0}
ROUNDED = {"boxes": 2.0, "scores": 5e-2, "labels": 0.02, "counts": 0.02}


def aligned(answer: Arrays, reference: Arrays = REFERENCE, bounds: Mapping[str, float] = EXACT) -> Arrays:
    return dict(detections_aligned(reference, answer, bounds))


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


def test_scores_that_round_apart_keep_their_partners() -> None:
    answer = detections((0, 0.88, 1), (9, 0.53, 2), (12.4, 0.51, 1), (5, 0.49, 1))
    found = aligned(answer, bounds=ROUNDED)
    assert found["boxes"][0, :, 0].tolist() == pytest.approx([0, 5, 9, 12.4])
    assert found["scores"][0].tolist() == pytest.approx([0.88, 0.49, 0.53, 0.51])
    exact = aligned(answer)
    assert compare(REFERENCE, exact).value > 0.1


KEPT = detections((0, 0.9, 1), (20, 0.6, 1), (40, 0.3, 1))


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        (detections((0, 0.9, 1), (20, 0.6, 1)), 2),  # a good one is missing
        (detections((0, 0.9, 1), (20, 0.6, 1), (40, 0.3, 2)), 3),
        (detections((0, 0.9, 1), (20, 0.6, 1), (44, 0.3, 1)), 3),
        (detections((0, 0.9, 1), (20, 0.6, 1), (40, 0.3, 1), (60, 0.2, 1)), 4),  # one too many, not at the cut
        (detections((0, 0.9, 1), (20, 0.6, 1), (40, 0.2, 1)), 2),
    ],
)
def test_rounding_excuses_no_object_that_is_missing_or_new(answer: Arrays, count: int) -> None:
    found = aligned(answer, KEPT, ROUNDED)
    assert found["counts"].tolist() == [count]
    differences = [compare({name: KEPT[name]}, {name: found[name]}).value for name in KEPT]
    assert max(differences) > 0.05


def test_what_is_nearly_cut_off_may_be_missing_or_new_where_rounding_is_allowed() -> None:
    low = detections((0, 0.9, 1), (20, 0.6, 1), (40, 0.04, 1))
    for other in (detections((0, 0.9, 1), (20, 0.6, 1)), detections((0, 0.9, 1), (20, 0.6, 1), (70, 0.03, 2))):
        assert compare(low, aligned(other, low, ROUNDED)).value == 0.0
        assert compare(other, aligned(low, other, ROUNDED)).value == 0.0
        assert compare(low, aligned(other, low)).value > 0.1
    full = detections((0, 0.9, 1), (20, 0.3, 1), (40, 0.21, 1), (60, 0.2, 1))
    swapped = detections((0, 0.9, 1), (20, 0.3, 1), (60, 0.21, 1), (80, 0.2, 1))
    assert compare(full, aligned(swapped, full, ROUNDED)).value == pytest.approx(0.01 / 1.2, rel=1e-3)


def test_suppression_may_keep_another_of_two_rivals_where_rounding_is_allowed() -> None:
    both = detections((0, 0.9, 1), (0.5, 0.6, 1), (20, 0.5, 1))  # IoU 0.6 of the first two
    one = detections((0, 0.9, 1), (20, 0.5, 1))
    for reference, answer in ((both, one), (one, both)):
        assert compare(reference, aligned(answer, reference, ROUNDED)).value == 0.0
        assert compare(reference, aligned(answer, reference)).value > 0.1
    other_class = detections((0, 0.9, 2), (0.5, 0.6, 1), (20, 0.5, 1))
    assert aligned(detections((0, 0.9, 2), (20, 0.5, 1)), other_class, ROUNDED)["counts"].tolist() == [2]


def test_rivals_beyond_the_allowed_share_stay_a_difference() -> None:
    pairs = detections((0, 0.9, 1), (0.5, 0.6, 1), (20, 0.5, 1), (20.5, 0.4, 1))
    one_each = detections((0, 0.9, 1), (20, 0.5, 1))
    assert aligned(one_each, pairs, ROUNDED)["counts"].tolist() == [2]
    assert compare(pairs, aligned(one_each, pairs, {**ROUNDED, "labels": 0.5})).value == 0.0


def test_an_answer_without_detections_is_compared() -> None:
    none = detections()
    assert compare(none, aligned(none, none, ROUNDED)).value == 0.0
    assert aligned(none, KEPT, ROUNDED)["counts"].tolist() == [0]
    assert aligned(KEPT, none, ROUNDED)["counts"].tolist() == [3]


@pytest.mark.parametrize("bounds", [EXACT, ROUNDED])
def test_numbers_out_of_range_stay_a_difference(bounds: Mapping[str, float]) -> None:
    for name, value in (("boxes", np.nan), ("boxes", np.inf), ("scores", np.nan)):
        answer = {each: values.copy() for each, values in REFERENCE.items()}
        answer[name][0, 1] = value
        assert not compare(REFERENCE, aligned(answer, bounds=bounds)).value < 0.05
    beyond = {**REFERENCE, "counts": np.array([9])}
    assert aligned(beyond, bounds=bounds)["counts"].tolist() == [9]


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
    checks = parity_gate(dataclasses.replace(graph, align=detections_aligned), references, other.path)
    assert max(check.difference for check in checks) < 1e-5


@pytest.mark.parametrize("exporter", ["dynamo", "legacy"])
def test_a_detector_exports(exporter: str, tmp_path: Path) -> None:
    plan = detector_plan(exporters=(exporter,), align=detections_aligned)
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
