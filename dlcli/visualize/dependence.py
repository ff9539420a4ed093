"""Pictures of how answers depend on one column: curves over numbers, bars over categories. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlcli.core.console import shorten
from dlcli.visualize.figure import COLOURS, line_look, new_figure, plain_axes, set_texts, to_rgb
from dlcli.visualize.fonts import font_for


def draw_curves(
    grid: np.ndarray,
    means: np.ndarray,
    names: Sequence[str],
    lines: np.ndarray,
    values: np.ndarray,
    texts: Sequence[str],
) -> np.ndarray:
    """Return the mean answers over the values of a column of numbers, above the histogram of its values.

    Args:
        grid: (G,) values.
        means: (G, K) mean answers.
        names: the names of the K curves; one curve has no legend.
        lines: (G, L) answers to single rows, drawn faintly.
        values: (N,) the column's values in the data.
        texts: the names of the column and of the answer, and the title.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    column, answer, title = (shorten(text, 60) for text in texts)
    figure = new_figure(1200, 900)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(5, 1))
    if lines.size:
        axes.plot(grid, lines, color="#9a9a9a", alpha=0.3, linewidth=0.7)
    shown = [shorten(name, 24) for name in names]
    for index, name in enumerate(shown):
        look = line_look(index)
        axes.plot(grid, means[:, index], linewidth=2.4, label=name, marker="o" if len(grid) <= 12 else None, **look)
    within = values[(values >= grid[0]) & (values <= grid[-1])]
    below.hist(within, bins=min(60, max(5, len(within) // 8)), color="#b5b5b5")
    for each in (axes, below):
        plain_axes(each)
    below.set_ylabel("rows")
    below.set_xlabel(column)
    axes.set_ylabel(answer)
    axes.set_title(title)
    font = font_for([column, answer, title, *shown])
    set_texts([below.xaxis.label, below.yaxis.label, axes.yaxis.label], font, 10)
    set_texts([axes.title], font, 11)
    if len(shown) > 1:
        set_texts(axes.legend(frameon=False, fontsize=9).get_texts(), font, 9)
    return to_rgb(figure)


def draw_bars(
    categories: Sequence[str],
    means: np.ndarray,
    names: Sequence[str],
    counts: np.ndarray,
    base: float,
    texts: Sequence[str],
) -> np.ndarray:
    """Return the mean answers for each category of a column, beside how many rows have it; see `draw_curves`.

    Args:
        categories: the names of C categories.
        means: (C, K) mean answers.
        names: the names of the K bars of a category.
        counts: (C,) rows of the data with the category.
        base: where the bars begin: at the mean answer, bars of nearly equal answers can still be told apart.
        texts: as in `draw_curves`.
    """
    column, answer, title = (shorten(text, 60) for text in texts)
    labels = [shorten(f"{name} ({count:,})", 34) for name, count in zip(categories, counts.tolist(), strict=True)]
    shown = [shorten(name, 24) for name in names]
    height = 0.8 / len(shown)
    figure = new_figure(1200, 220 + max(46, 22 * len(shown)) * len(labels))
    axes = figure.subplots()
    places = np.arange(len(labels), dtype=float)
    for index, name in enumerate(shown):
        at = places + (index - (len(shown) - 1) / 2) * height
        axes.barh(
            at, means[:, index] - base, left=base, height=0.92 * height, label=name, color=COLOURS[index % len(COLOURS)]
        )
    axes.axvline(base, color="#666666", linewidth=1)
    plain_axes(axes)
    axes.grid(visible=False, axis="y")
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.set_xlabel(answer)
    axes.set_ylabel(column)
    axes.set_title(title)
    font = font_for([column, answer, title, *shown, *labels])
    set_texts([*axes.get_yticklabels(), axes.xaxis.label, axes.yaxis.label], font, 9)
    set_texts([axes.title], font, 11)
    if len(shown) > 1:
        set_texts(axes.legend(frameon=False, fontsize=9).get_texts(), font, 9)
    return to_rgb(figure)
