"""Pictures of a regression's predictions: against the targets, and the residuals. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlcli.core.console import shorten
from dlcli.visualize.figure import COLOURS, new_figure, plain_axes, set_texts, to_rgb
from dlcli.visualize.fonts import font_for

DOT: dict[str, object] = {"s": 14, "alpha": 0.55, "linewidths": 0, "color": COLOURS[0]}


def draw_predicted(targets: np.ndarray, predictions: np.ndarray, name: str) -> np.ndarray:
    """Return a scatter plot of the predictions against the targets, with the line on which both are equal.

    Args:
        targets, predictions: (N,) in the same units.
        name: the target's name.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    figure = new_figure(1050, 1000)
    axes = figure.subplots()
    axes.scatter(targets, predictions, **DOT)  # type: ignore[arg-type]
    values = np.concatenate([targets, predictions])
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    margin = 0.04 * (high - low) or 1.0
    axes.plot([low - margin, high + margin], [low - margin, high + margin], color="#999999", linewidth=1, linestyle=":")
    axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), aspect="equal")
    plain_axes(axes)
    axes.set_xlabel(f"true {shorten(name, 40)}")
    axes.set_ylabel(f"predicted {shorten(name, 40)}")
    set_texts([axes.xaxis.label, axes.yaxis.label], font_for([name]), 10)
    return to_rgb(figure)


def draw_residuals(targets: np.ndarray, predictions: np.ndarray, name: str) -> np.ndarray:
    """Return a plot of the errors against the predictions, with their histogram; see `draw_predicted`.

    Errors that grow with the prediction, or lie on one side of the line, show what the network has not learnt.
    """
    figure = new_figure(1450, 800)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    errors = predictions - targets
    left.scatter(predictions, errors, **DOT)
    right.hist(errors, bins=min(40, max(5, len(errors) // 5)), orientation="horizontal", color=COLOURS[0])
    for axes in (left, right):
        axes.axhline(0, color="#999999", linewidth=1, linestyle=":")
        plain_axes(axes)
    left.set_xlabel(f"predicted {shorten(name, 40)}")
    left.set_ylabel("predicted - true")
    right.set_xlabel("rows")
    set_texts([left.xaxis.label, left.yaxis.label, right.xaxis.label], font_for([name]), 10)
    return to_rgb(figure)


def draw_row(cells: Sequence[tuple[str, str]], answer: str) -> np.ndarray:
    """Return a picture of one row of a table, one line per column, with the prediction above it.

    Args:
        cells: (column, value) pairs; only the first 40 are drawn.
        answer: the prediction as text.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    shown = list(cells[:40])
    figure = new_figure(900, 90 + 44 * (len(shown) + 1))
    axes = figure.subplots()
    axes.axis("off")
    count = len(shown) + 1
    texts = [axes.text(0.0, 1 - 0.5 / count, shorten(answer, 60), weight="bold", va="center")]
    for number, (name, value) in enumerate(shown, 1):
        height = 1 - (number + 0.5) / count
        texts.append(axes.text(0.0, height, shorten(name, 28), va="center", color="#555555"))
        texts.append(axes.text(0.55, height, shorten(value, 28), va="center"))
    set_texts(texts, font_for([answer, *(text for cell in shown for text in cell)]), 10)
    return to_rgb(figure)
