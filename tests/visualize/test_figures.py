"""The figures that matplotlib draws: their contents, and that nothing global changes."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from dlcli.metrics.classification import ClassificationMetric
from dlcli.visualize import fonts
from dlcli.visualize.confusion import _number, draw_confusion
from dlcli.visualize.curves import draw_curves
from dlcli.visualize.scores import draw_pr_curves, draw_roc_curves


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return a list that gathers every curve handed to matplotlib: x, y, label; its pixels are not computed."""
    curves: list[dict[str, Any]] = []
    plot = Axes.plot

    def record(self: Axes, x: Any, y: Any, **options: Any) -> Any:
        curves.append({"x": np.asarray(x), "y": np.asarray(y), "label": options.get("label"), "axes": self})
        return plot(self, x, y, **options)

    monkeypatch.setattr(Axes, "plot", record)
    monkeypatch.setattr(FigureCanvasAgg, "draw", FigureCanvasAgg.get_renderer)
    return curves


def epoch(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "epoch": number, "step": number * 10, "loss": 1 / number, "val_loss": 0.5 + (number - 3) ** 2 / 10,
        "accuracy": 1 - 0.5 / number, "lr": 0.1**number, "seconds": 1.0, "items_per_s": 9.0,
    } | changes  # fmt: skip


def report(num_classes: int, num_samples: int = 300) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, num_classes, num_samples)
    logits = rng.normal(size=(num_samples, num_classes))
    logits[np.arange(num_samples), labels] += 1
    metric = ClassificationMetric(num_classes)
    metric.update(logits, labels)
    return metric.report([f"_{index}$" for index in range(num_classes)])


def test_curves_show_losses_metrics_and_learning_rate_of_every_epoch(drawn: list[dict[str, Any]]) -> None:
    draw_curves([epoch(number) for number in range(1, 6)], "run")
    by_label = {curve["label"]: curve for curve in drawn if curve["label"]}
    assert list(by_label) == ["training", "validation", "accuracy", "lr"]
    for curve in by_label.values():
        assert curve["x"].tolist() == [1, 2, 3, 4, 5]
    assert by_label["training"]["y"].tolist() == [1 / number for number in range(1, 6)]


def test_best_epoch_is_the_given_one_or_that_of_the_lowest_validation_loss(drawn: list[dict[str, Any]]) -> None:
    records = [epoch(number) for number in range(1, 6)]
    draw_curves(records, "run")
    assert {curve["x"].item() for curve in drawn if curve["label"] is None} == {3}
    drawn.clear()
    draw_curves(records, "run", best_epoch=5)
    assert {curve["x"].item() for curve in drawn if curve["label"] is None} == {5}


def test_single_epoch_is_visible() -> None:
    one, none = (draw_curves([epoch(1, **changes)], "run") for changes in ({}, {"loss": None}))
    assert one.dtype == np.uint8
    assert one.shape[2] == 3
    assert one.min() < 100
    assert (one != none).any()


def test_missing_figures_are_gaps(drawn: list[dict[str, Any]]) -> None:
    draw_curves([epoch(1), epoch(2, val_loss=None), epoch(3)], "run")
    [validation] = [curve["y"] for curve in drawn if curve["label"] == "validation"]
    assert np.isnan(validation).tolist() == [False, True, False]
    draw_curves([{"epoch": 1, "loss": None}], "run with nothing finite")
    with pytest.raises(ValueError, match="no epochs"):
        draw_curves([], "run")


@pytest.mark.parametrize("num_classes", [2, 21, 100])
def test_confusion_is_drawn_within_bounds_for_few_and_many_classes(num_classes: int) -> None:
    matrix = np.eye(num_classes, dtype=int) * 50
    matrix[0] = 0
    picture = draw_confusion(matrix, [f"class ${index}" for index in range(num_classes)], title="test")
    assert 300 < picture.shape[0] < 2500
    assert 300 < picture.shape[1] < 2500


def test_confusion_numbers_are_shares_of_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: dict[tuple[float, float], str] = {}
    monkeypatch.setattr(Axes, "text", lambda self, x, y, text, **_: texts.__setitem__((y, x), text))
    matrix = [[3, 1, 0], [0, 0, 0], [1, 0, 999]]
    draw_confusion(np.array(matrix), ["a", "b", "c"])
    expected = [["75", "25", ""], ["", "", ""], ["0.1", "", ">99"]]
    assert [[texts[row, column] for column in range(3)] for row in range(3)] == expected
    draw_confusion(np.array(matrix), ["a", "b", "c"], normalise=False)
    assert texts[2, 2] == "999"


def test_small_shares_are_not_written_as_zero_nor_large_ones_as_hundred() -> None:
    assert [_number(value) for value in (0.0, 0.01, 0.3, 9.96, 12.4, 99.96, 100.0)] == [
        "", "<0.1", "0.3", "10", "12", ">99", "100",
    ]  # fmt: skip


def test_names_that_no_font_can_draw_are_boxes_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "chinese_candidates", lambda: iter(()))
    fonts._font_for.cache_clear()
    try:
        assert draw_confusion(np.eye(2, dtype=int), ["猫", "狗"]).shape[2] == 3
        assert fonts.missing_glyphs(["猫", "狗", "cat"]) == "狗猫"
    finally:
        fonts._font_for.cache_clear()


def test_confusion_that_does_not_fit_its_names_is_an_error() -> None:
    with pytest.raises(ValueError, match="names"):
        draw_confusion(np.zeros((2, 3)), ["a", "b"])


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


def test_drawing_opens_no_pyplot_changes_no_settings_and_needs_no_torch() -> None:
    code = """
import sys, numpy as np, matplotlib
from dlcli.visualize import confusion, curves, scores, mistakes, grids, canvas
before = matplotlib.rcParams.copy()
confusion.draw_confusion(np.eye(2, dtype=int), ["a", "b"])
curves.draw_curves([{"epoch": 1, "loss": 1.0}], "run")
assert matplotlib.rcParams.copy() == before
assert not {"torch", "matplotlib.pyplot", "sklearn"} & set(sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_the_drawings_does_not_import_matplotlib() -> None:
    modules = "canvas, confusion, curves, fonts, grids, mistakes, scores"
    code = f"import sys; from dlcli.visualize import {modules}; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
