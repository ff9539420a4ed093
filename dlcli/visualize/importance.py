"""A picture of how much a run needs each column. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlcli.core.console import shorten
from dlcli.visualize.figure import COLOURS, new_figure, plain_axes, set_texts, to_rgb
from dlcli.visualize.fonts import font_for

MOST_BARS = 30
UNSURE = "#b5b5b5"


def draw_importance(rows: Sequence[tuple[str, float, float, float]], caption: str, title: str) -> np.ndarray:
    """Return a bar for each column, the most important first, with its interval; grey where the interval holds 0.

    Args:
        rows: (name, mean, low, high), the most important first; only the first 30 are drawn.
        caption: what the length of a bar means.
        title: the title.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    drawn = list(rows[:MOST_BARS])[::-1]
    figure = new_figure(1200, 190 + 46 * len(drawn))
    axes = figure.subplots()
    names = [shorten(name, 32) for name, *_ in drawn]
    means = np.array([mean for _, mean, _, _ in drawn])
    ends = np.array([[mean - low, high - mean] for _, mean, low, high in drawn]).T
    colours = [COLOURS[0] if low > 0 else UNSURE for _, _, low, _ in drawn]
    places = np.arange(len(drawn))
    axes.barh(places, means, color=colours, height=0.62)
    axes.errorbar(means, places, xerr=ends, fmt="none", ecolor="#333333", elinewidth=1, capsize=3)
    axes.axvline(0, color="#666666", linewidth=1)
    plain_axes(axes)
    axes.grid(visible=False, axis="y")
    axes.set_yticks(places, names)
    axes.set_ylim(-0.7, len(drawn) - 0.3)
    axes.set_xlabel(caption)
    axes.set_title(title)
    font = font_for([*names, title])
    set_texts([*axes.get_yticklabels(), axes.xaxis.label], font, 9)
    set_texts([axes.title], font, 11)
    return to_rgb(figure)
