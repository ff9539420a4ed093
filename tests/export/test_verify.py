from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from dlcli.export.plan import ExportPlan
from dlcli.export.verify import compare, largest_values, reference_answers, tells_apart

NAN, INF = math.nan, math.inf


def floats(*values: float) -> dict[str, np.ndarray]:
    return {"y": np.array(values, np.float32)}


def test_difference_is_absolute_and_relative() -> None:
    assert compare(floats(0.0, 9.0), floats(0.25, 9.0)).value == pytest.approx(0.25)
    assert compare(floats(0.0, 9.0), floats(0.0, 10.0)).value == pytest.approx(0.1)


def test_difference_of_tiny_values_is_measured_by_their_scale() -> None:
    wrong = compare(floats(1e-9, 0.0), floats(0.0, 0.0), {"y": 1e-9})
    assert wrong.value == pytest.approx(0.5)
    assert compare(floats(0.0), floats(1e-30), {"y": 0.0}).value == INF


def test_every_value_equals_itself() -> None:
    values = floats(NAN, INF, -INF, 0.0, 3.4e38)
    assert compare(values, {"y": values["y"].copy()}).value == 0.0
    assert compare({"y": np.zeros((0, 3))}, {"y": np.zeros((0, 3))}).value == 0.0


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        (floats(NAN), floats(0.0)),
        (floats(0.0), floats(NAN)),
        (floats(INF), floats(-INF)),
        (floats(1.0), floats(INF)),
        (floats(1.0, 2.0), floats(1.0)),
        (floats(1.0), {"y": np.array([1.0])}),
        (floats(1.0), {"z": np.array([1.0], np.float32)}),
    ],
)
def test_answers_that_cannot_be_equal_are_infinitely_far_apart(
    reference: dict[str, np.ndarray], answer: dict[str, np.ndarray]
) -> None:
    difference = compare(reference, answer)
    assert difference.value == INF
    assert difference.reason


def test_pixels_differ_by_pixels_wherever_they_are() -> None:
    far = floats(1000.0), floats(1002.0)
    assert compare(*far).value == pytest.approx(2 / 1001)
    assert compare(*far, absolute=("y",)).value == pytest.approx(2.0)
    assert compare(floats(0.0), floats(0.25), {"y": 1e-3}, absolute=("y",)).value == pytest.approx(0.25)
    assert compare(floats(NAN), floats(1.0), absolute=("y",)).value == INF


def test_difference_of_integers_is_the_share_of_unequal_values() -> None:
    assert compare({"y": np.array([1, 2, 3, 4])}, {"y": np.array([1, 2, 3, 9])}).value == 0.25
    assert compare({"y": np.array([True])}, {"y": np.array([False])}).value == 1.0
    assert compare({"y": np.array([7, 8])}, {"y": np.array([7, 8])}).value == 0.0


def test_worst_output_is_named() -> None:
    reference = {"a": np.zeros(2), "b": np.zeros(2), "c": np.array([1])}
    answer = {"a": np.full(2, 0.1), "b": np.full(2, 0.2), "c": np.array([1])}
    assert compare(reference, answer).reason == "b differs by 0.2"


def test_scale_passes_over_what_is_not_finite() -> None:
    assert largest_values([floats(1.0, NAN), floats(-3.0, INF)]) == {"y": 3.0}


def test_a_step_of_rounded_integers_counts_by_its_share_and_a_larger_one_fails() -> None:
    reference = {"image": np.array([[0, 255], [100, 3]], np.uint8)}
    rounded = {"image": np.array([[0, 254], [100, 3]], np.uint8)}
    wrong = {"image": np.array([[0, 0], [100, 3]], np.uint8)}
    steps = {"image": 1}
    assert compare(reference, reference, largest_step=steps).value == 0
    assert compare(reference, rounded, largest_step=steps).value == compare(reference, rounded).value == 0.25
    assert compare(reference, wrong).value == 0.25
    found = compare(reference, wrong, largest_step=steps)
    assert found.value == math.inf and "by up to 255" in found.reason


def test_equal_items_tell_nothing_and_unequal_ones_do(plans: Mapping[str, Callable[..., ExportPlan]]) -> None:
    graph = plans["two"](tolerance=1e-4).graphs[0]
    alike = {"scores": np.tile(np.array([[0.3, -5.0]], np.float32), (3, 1)), "best": np.array([1, 1, 1])}
    unlike = {**alike, "scores": alike["scores"] * np.array([[1.0], [1.1], [1.0]], np.float32)}
    assert not tells_apart(graph, [alike, alike])
    assert tells_apart(graph, [alike, unlike])
    assert tells_apart(graph, [alike, {**alike, "best": np.array([1, 1, 0])}])
    assert not tells_apart(graph, [{name: values[:1] for name, values in unlike.items()}])
    ones = [{name: values[row : row + 1] for name, values in unlike.items()} for row in range(3)]
    assert tells_apart(graph, ones)
    assert not tells_apart(graph, [ones[0], ones[0]])


def test_reference_leaves_the_samples_alone(plans: Mapping[str, Callable[..., ExportPlan]]) -> None:
    import torch
    from torch import Tensor, nn

    class InPlace(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image.add_(1).mean((2, 3))

    graph = plans["image"](InPlace()).graphs[0]
    before = [sample["image"].copy() for sample in graph.samples]
    reference_answers(graph.module, graph)
    assert all(
        torch.equal(torch.from_numpy(a), torch.from_numpy(s["image"]))
        for a, s in zip(before, graph.samples, strict=True)
    )


def test_wrong_number_of_outputs_is_a_fault_of_the_plan(plans: Mapping[str, Callable[..., ExportPlan]]) -> None:
    graph = dataclasses.replace(plans["two"]().graphs[0], outputs=("scores",))
    with pytest.raises(ValueError, match="returns 2 outputs"):
        reference_answers(graph.module, graph)
