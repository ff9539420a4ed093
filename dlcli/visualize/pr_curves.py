"""Precision-recall curves of a detector by class. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcli.core.console import shorten
from dlcli.visualize.figure import line_look, new_figure, plain_axes, set_texts, to_rgb
from dlcli.visualize.fonts import font_for
from dlcli.visualize.scores import AVERAGE_LOOK, MOST_CURVES, NUM_WORST


def draw_detection_pr(
    curves: Sequence[Sequence[float] | None],
    class_names: Sequence[str],
    *,
    title: str = "Precision and recall at IoU 0.5",
) -> np.ndarray:
    """Return a picture of precision against recall of each class, and of their mean.

    Where there are more than 10 classes, the five of lowest AP are drawn. The area under a curve is the class's AP.

    Args:
        curves: of each class the precision at R equally spaced recalls from 0 to 1; None for a class without objects.
        class_names: a class is its position.
        title: a line above.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    rows = [
        (name, float(np.mean(curve)), np.asarray(curve, np.float64))
        for name, curve in zip(class_names, curves, strict=True)
        if curve is not None
    ]
    shown = rows if len(rows) <= MOST_CURVES else sorted(rows, key=lambda row: row[1])[:NUM_WORST]
    figure = new_figure(1450, 1000)
    axes = figure.subplots()
    for index, (name, area, precision) in enumerate(shown):
        label = f"{area:.3f}  {shorten(name, 24)}"
        axes.plot(np.linspace(0, 1, len(precision)), precision, label=label, linewidth=1.5, **line_look(index))
    if len(rows) > 1:
        mean = np.mean([precision for _, _, precision in rows], axis=0)
        label = f"{np.mean([area for _, area, _ in rows]):.3f}  mean of all classes"
        axes.plot(np.linspace(0, 1, len(mean)), mean, label=label, **AVERAGE_LOOK)
    elif not rows:
        axes.text(0.5, 0.5, "no curves: there are no objects", ha="center", va="center")
    plain_axes(axes)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), xlabel="recall", ylabel="precision", aspect="equal", anchor="W")
    axes.set_title(title)
    font = font_for([*(name for name, _, _ in shown), title])
    texts: list[Any] = []
    if rows:
        heading = "AP50" if len(shown) == len(rows) else f"AP50, lowest {len(shown)} of {len(rows)}"
        legend = axes.legend(
            loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, title=heading, alignment="left"
        )
        texts = [*legend.get_texts(), legend.get_title()]
    set_texts(texts, font, 9)
    set_texts([axes.title], font, 12)
    return to_rgb(figure)
