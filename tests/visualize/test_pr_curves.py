"""Precision-recall curves of a detector."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dlcli.visualize.pr_curves import draw_detection_pr


def test_each_class_with_objects_has_its_curve_and_the_mean_is_of_these(drawn: list[dict[str, Any]]) -> None:
    first, second = np.linspace(1, 0, 101).tolist(), [1.0] * 101
    picture = draw_detection_pr([first, None, second], ["cell", "none", "细胞"])
    assert picture.dtype == np.uint8
    assert [curve["label"] for curve in drawn] == ["0.500  cell", "1.000  细胞", "0.750  mean of all classes"]
    np.testing.assert_allclose(drawn[0]["x"], np.linspace(0, 1, 101))
    np.testing.assert_allclose(drawn[0]["y"], first)
    np.testing.assert_allclose(drawn[2]["y"], (np.array(first) + 1) / 2)


def test_of_many_classes_the_lowest_are_drawn(drawn: list[dict[str, Any]]) -> None:
    curves = [[number / 20] * 11 for number in range(20)]
    draw_detection_pr(curves, [f"class {number}" for number in range(20)])
    assert [curve["label"][7:] for curve in drawn] == [
        *(f"class {number}" for number in range(5)),
        "mean of all classes",
    ]
    assert drawn[0]["axes"].get_legend().get_title().get_text() == "AP50, lowest 5 of 20"


def test_one_class_needs_no_mean_and_none_is_said(drawn: list[dict[str, Any]], figures: list[Figure]) -> None:
    draw_detection_pr([[1.0] * 5], ["cell"])
    assert len(drawn) == 1
    draw_detection_pr([None], ["cell"])
    assert len(drawn) == 1
    assert "no curves" in figures[-1].axes[0].texts[0].get_text()
