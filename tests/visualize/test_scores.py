"""Precision-recall and ROC curves as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

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


CURVES = {
    "pr": [
        {"recall": [1.0, 0.5, 0.0], "precision": [0.5, 1.0, 1.0], "area": 0.75},
        None,
        {"recall": [1.0, 0.0], "precision": [0.25, 1.0], "area": 0.25},
    ],
    "roc": [
        {"fpr": [0.0, 0.5, 1.0], "tpr": [0.0, 1.0, 1.0], "area": 0.75},
        None,
        {"fpr": [0.0, 1.0], "tpr": [0.0, 1.0], "area": 0.5},
    ],
}
NAMES = ["猫", "absent", "$dog$"]


def test_precision_is_a_staircase_and_the_mean_is_taken_step_by_step(drawn: list[dict[str, Any]]) -> None:
    draw_pr_curves(CURVES, NAMES)
    first, second, mean = drawn
    assert (first["label"], second["label"]) == ("0.750  猫", "0.250  $dog$")
    assert mean["label"].startswith("0.500  mean")
    by_recall = dict(zip(mean["x"].round(3).tolist(), mean["y"].tolist(), strict=True))
    # From recall 0.5 on the first has precision 0.5; the second is 0.25 but for recall 0.
    assert by_recall[0.0] == 1
    assert by_recall[0.25] == pytest.approx((1 + 0.25) / 2)
    assert by_recall[0.75] == pytest.approx((0.5 + 0.25) / 2)


def test_the_mean_of_roc_curves_is_taken_along_straight_lines(drawn: list[dict[str, Any]]) -> None:
    draw_roc_curves(CURVES, NAMES)
    first, second, mean, chance = drawn
    assert [curve["label"][:5] for curve in (first, second, mean)] == ["0.750", "0.500", "0.625"]
    np.testing.assert_allclose(mean["y"], (np.minimum(2 * mean["x"], 1) + mean["x"]) / 2)
    assert chance["x"].tolist() == chance["y"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("draw", "style", "axes_names", "heading"),
    [
        (draw_pr_curves, "steps-post", ("recall", "precision"), "average precision"),
        (draw_roc_curves, "default", ("false positive rate", "true positive rate"), "area under the curve"),
    ],
)
def test_axes_and_legend_say_what_is_drawn(
    draw: Any, style: str, axes_names: tuple[str, str], heading: str, figures: list[Figure]
) -> None:
    draw(CURVES, NAMES, title="运行")
    [axes] = figures[0].axes
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("运行", *axes_names)
    assert axes.lines[0].get_drawstyle() == style
    legend = axes.get_legend()
    assert legend.get_title().get_text() == heading
    assert not any(text.get_parse_math() for text in legend.get_texts())


def test_the_legend_counts_the_classes_that_are_not_drawn(figures: list[Figure]) -> None:
    content = report(12)
    draw_pr_curves(content["curves"], [row["name"] for row in content["per_class"]])
    assert figures[0].axes[0].get_legend().get_title().get_text().endswith("5 lowest of 12 classes")


def test_ten_curves_look_different(figures: list[Figure]) -> None:
    content = report(10)
    draw_roc_curves(content["curves"], [row["name"] for row in content["per_class"]])
    looks = {(line.get_color(), line.get_linestyle()) for line in figures[0].axes[0].lines[:11]}
    assert len(looks) == 11


@pytest.mark.parametrize("draw", [draw_pr_curves, draw_roc_curves])
def test_without_a_curve_the_picture_says_why(draw: Any, figures: list[Figure]) -> None:
    draw({"pr": [None], "roc": [None]}, ["a"])
    [axes] = figures[0].axes
    assert [text.get_text() for text in axes.texts] == ["no curves: all samples are of one class"]
    assert axes.get_legend() is None


@pytest.mark.parametrize("draw", [draw_pr_curves, draw_roc_curves])
def test_there_is_a_name_for_every_curve(draw: Any) -> None:
    with pytest.raises(ValueError, match="zip"):
        draw(CURVES, NAMES[:2])
