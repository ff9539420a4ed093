"""Precision-recall and ROC curves as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcli.metrics.classification import ClassificationMetric
from dlcli.visualize.scores import draw_pr_curves, draw_roc_curves


def report(num_classes: int, num_samples: int = 300) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, num_classes, num_samples)
    logits = rng.normal(size=(num_samples, num_classes))
    logits[np.arange(num_samples), labels] += 1
    metric = ClassificationMetric(num_classes)
    metric.update(logits, labels)
    return metric.report([f"_{index}$" for index in range(num_classes)])


@pytest.mark.parametrize("draw", [draw_pr_curves, draw_roc_curves])
def test_up_to_ten_classes_have_a_curve_each_and_more_only_the_worst(draw: Any, drawn: list[dict[str, Any]]) -> None:
    for num_classes, expected in ((3, 3 + 1), (30, 5 + 1)):
        drawn.clear()
        content = report(num_classes)
        draw(content["curves"], [row["name"] for row in content["per_class"]])
        labels = [curve["label"] for curve in drawn if curve["label"]]
        assert len(labels) == expected
        assert "mean of all classes" in labels[-1]
    areas = sorted(curve["area"] for curve in content["curves"]["pr" if draw is draw_pr_curves else "roc"])
    assert [label[:5] for label in labels[:-1]] == [f"{area:.3f}" for area in areas[:5]]


def test_mean_curve_has_the_mean_area(drawn: list[dict[str, Any]]) -> None:
    content = report(4, 2000)
    names = [row["name"] for row in content["per_class"]]
    for draw, kind in ((draw_pr_curves, "pr"), (draw_roc_curves, "roc")):
        drawn.clear()
        draw(content["curves"], names)
        [mean] = [curve for curve in drawn if "mean" in (curve["label"] or "")]
        area = np.mean([curve["area"] for curve in content["curves"][kind]])
        assert mean["y"].mean() == pytest.approx(area, abs=0.01)


def test_samples_of_a_single_class_have_no_curve_and_no_crash() -> None:
    metric = ClassificationMetric(2)
    metric.update(np.zeros((3, 2)), np.zeros(3, int))
    curves = metric.report(["a", "b"])["curves"]
    assert draw_roc_curves(curves, ["a", "b"]).shape == draw_pr_curves(curves, ["a", "b"]).shape
