"""The training curves of several runs in common panels. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.visualize.curves import MOST_MARKED, panels_of, values_of
from dlcli.visualize.figure import line_look, new_figure, plain_axes, set_texts, to_rgb
from dlcli.visualize.fonts import font_for

MAX_PANELS = 9


def draw_overlay(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> np.ndarray:
    """Return a panel for each figure that several runs have, with a curve for each run.

    Args:
        runs: name -> records, one an epoch, as for `draw_curves`.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: no run has a record, or no two have a figure in common.
    """
    counts: dict[str, int] = {}
    for records in runs.values():
        for name in dict.fromkeys(name for names in panels_of(records).values() for name in names):
            counts[name] = counts.get(name, 0) + int(np.isfinite(values_of(records, name)).any())
    shown = [name for name, count in counts.items() if count > 1][:MAX_PANELS]
    if not shown:
        raise ValueError("no figure in common")
    columns = min(len(shown), 3)
    rows = math.ceil(len(shown) / columns)
    figure = new_figure(640 * columns, 460 * rows + 90)
    all_axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(all_axes, shown, strict=False):
        plain_axes(axes)
        for index, records in enumerate(runs.values()):
            epochs = np.array([record["epoch"] for record in records], dtype=float)
            marker = "o" if len(epochs) <= MOST_MARKED else None
            axes.plot(epochs, values_of(records, name), marker=marker, markersize=3, linewidth=1.6, **line_look(index))
        axes.set_title(name, fontsize=11, loc="left")
        axes.set_xlabel("epoch", fontsize=9)
    for axes in all_axes[len(shown) :]:
        axes.set_axis_off()
    names = [name if len(name) <= 40 else f"{name[:39]}…" for name in runs]
    legend = figure.legend(
        all_axes[0].get_lines(), names, loc="outside upper left", frameon=False, ncols=3, fontsize=10
    )
    set_texts(legend.get_texts(), font_for(names), 10)
    return to_rgb(figure)
