"""The bars of a detector's errors."""

from __future__ import annotations

from matplotlib.figure import Figure

from dlcli.metrics.detection_errors import KINDS
from dlcli.visualize.detection_errors import MEANINGS, draw_detection_errors


def test_a_bar_is_as_long_as_what_its_errors_cost(figures: list[Figure]) -> None:
    gains = {"background": 0.12, "missed": 0.0, "localisation": -0.01}
    errors = [
        {"kind": kind, "count": 1000 + place, "delta_ap50": gain} for place, (kind, gain) in enumerate(gains.items())
    ]
    draw_detection_errors(errors)
    axes = figures[0].axes[0]
    assert [bar.get_width() for bar in axes.patches] == list(gains.values())
    heights = [bar.get_y() for bar in axes.patches]
    assert heights == sorted(heights, reverse=True)  # the first is on top
    assert axes.texts[0].get_text() == "0.120   1,000 errors"
    assert axes.get_yticklabels()[0].get_text() == "background\nnothing there"
    low, high = axes.get_xlim()
    assert low <= -0.01
    assert high > 0.12


def test_without_errors_there_is_a_picture(figures: list[Figure]) -> None:
    draw_detection_errors([{"kind": "missed", "count": 1, "delta_ap50": 0.0}])
    assert figures[0].axes[0].texts[0].get_text() == "0.000   1 error"
    draw_detection_errors([])
    assert len(figures) == 2


def test_every_kind_is_explained() -> None:
    assert set(KINDS.values()) == set(MEANINGS)
