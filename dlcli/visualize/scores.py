"""Precision-recall and ROC curves from an evaluation's report. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcli.core.console import shorten
from dlcli.visualize.figure import line_look, new_figure, plain_axes, set_texts, to_rgb
from dlcli.visualize.fonts import font_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CURVES = 10
NUM_WORST = 5
AVERAGE_LOOK: dict[str, Any] = {"color": "#000000", "linestyle": "-", "linewidth": 2.2}


def draw_pr_curves(
    curves: Mapping[str, Any], class_names: Sequence[str], *, title: str = "Precision and recall"
) -> np.ndarray:
    """Return a picture of precision against recall, one class against the rest.

    Draws the macro average and a curve for each class, or for the five of lowest area where there are more than 10.
    Classes without a curve are omitted.

    Args:
        curves: `curves` of `ClassificationMetric.report`.
        class_names: C names; a class is its position.
        title: a line above.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    return _draw(curves["pr"], class_names, "pr", title)


def draw_roc_curves(
    curves: Mapping[str, Any], class_names: Sequence[str], *, title: str = "Receiver operating characteristic"
) -> np.ndarray:
    """Return a picture of the true positive rate against the false positive rate; see `draw_pr_curves`."""
    return _draw(curves["roc"], class_names, "roc", title)


def _draw(curves: Sequence[Any], class_names: Sequence[str], kind: str, title: str) -> np.ndarray:
    x_name, y_name = ("recall", "precision") if kind == "pr" else ("fpr", "tpr")
    rows = [
        (name, curve["area"], np.array(curve[x_name]), np.array(curve[y_name]))
        for name, curve in zip(class_names, curves, strict=True)
        if curve is not None
    ]
    figure = new_figure(1450, 1000)
    axes = figure.subplots()
    shown = rows if len(rows) <= MOST_CURVES else sorted(rows, key=lambda row: row[1])[:NUM_WORST]
    for index, (name, value, x, y) in enumerate(shown):
        label = f"{value:.3f}  {shorten(name, 24)}"
        # Precision is a step function (average precision is the area under it): each value, from recall 1 down, holds
        # until the next point.
        steps = "steps-post" if kind == "pr" else "default"
        axes.plot(x, y, label=label, linewidth=1.5, drawstyle=steps, **line_look(index))
    if rows:
        grid = np.linspace(0, 1, 201)
        average = np.mean([_at(grid, x, y, kind) for _, _, x, y in rows], axis=0)
        macro = np.mean([value for _, value, _, _ in rows])
        axes.plot(grid, average, label=f"{macro:.3f}  mean of all classes", **AVERAGE_LOOK)
    else:
        axes.text(0.5, 0.5, "no curves: all samples are of one class", ha="center", va="center")
    heading = "average precision" if kind == "pr" else "area under the curve"
    if len(shown) < len(rows):
        heading += f"\n{NUM_WORST} lowest of {len(rows)} classes"
    _finish(axes, kind, title, heading, [name for name, *_ in shown])
    return to_rgb(figure)


def _at(grid: np.ndarray, x: np.ndarray, y: np.ndarray, kind: str) -> np.ndarray:
    """Return a curve's values on a common grid: a step function for precision, linear interpolation for ROC."""
    if kind == "roc":
        return np.asarray(np.interp(grid, x, y))
    rising_x, rising_y = x[::-1], y[::-1]  # scikit-learn starts at recall 1
    return np.asarray(rising_y[np.minimum(np.searchsorted(rising_x, grid), len(rising_x) - 1)])


def _finish(axes: Axes, kind: str, title: str, heading: str, names: Sequence[str]) -> None:
    plain_axes(axes)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")
    if kind == "pr":
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
    else:
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle=":")
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")
    font = font_for([*names, title])
    axes.set_anchor("W")
    axes.set_title(title)
    if names:
        legend = axes.legend(
            loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, title=heading, alignment="left"
        )
        set_texts([*legend.get_texts(), legend.get_title()], font, 9)
    set_texts([axes.title], font, 12)
