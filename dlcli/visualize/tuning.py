"""Pictures of a study of options: its trials in order, and how much each option mattered. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np

from dlcli.visualize.figure import COLOURS, count_axis, new_figure, plain_axes, set_texts, to_rgb
from dlcli.visualize.fonts import font_for


def draw_history(
    trials: Sequence[tuple[int, float, bool]],
    metric: str,
    title: str,
    *,
    larger_is_better: bool,
    best: int | None = None,
) -> np.ndarray:
    """Return the figures of a study's trials in order, with the best so far as a line.

    Args:
        trials: (place, value, whether it was pruned) of each, in order; place 0 is the default recipe, a line across.
        metric: what the values are.
        title: a line above.
        larger_is_better: of the values.
        best: the place of the best trial, marked; None for none.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: there are no trials.
    """
    if not trials:
        raise ValueError("no trials to draw")
    figure = new_figure(1100, 640)
    axes = figure.subplots()
    plain_axes(axes)
    whole = [(place, value) for place, value, is_pruned in trials if not is_pruned]
    pruned = [(place, value) for place, value, is_pruned in trials if is_pruned]
    if whole:
        places, values = zip(*whole, strict=True)
        so_far = list(accumulate(values, max if larger_is_better else min))
        axes.step(places, so_far, where="post", color=COLOURS[0], linewidth=1.6, label="best so far")
        axes.plot(places, values, marker="o", linestyle="", color=COLOURS[0], markersize=5, label="trial")
    if pruned:
        places, values = zip(*pruned, strict=True)
        label = "pruned trial, its best epoch"
        axes.plot(places, values, marker="x", linestyle="", color="#888888", markersize=5, label=label)
    default = next((value for place, value in whole if place == 0), None)
    if default is not None:
        axes.axhline(default, color=COLOURS[1], linewidth=1.0, linestyle="--", label="default recipe")
    marked = next(((place, value) for place, value in whole if place == best), None)
    if marked is not None:
        axes.plot(
            [marked[0]], [marked[1]], marker="D", color=COLOURS[0], markersize=8, markeredgecolor="black", zorder=3
        )
        offset = (0, 11) if larger_is_better else (0, -18)
        axes.annotate(f"{marked[1]:.4g}", marked, offset, textcoords="offset points", ha="center", fontsize=9)
    count_axis(axes, "trial")
    axes.set_title(f"{metric} on the validation part", fontsize=11, loc="left")
    axes.margins(x=0.04, y=0.15)
    axes.legend(fontsize=8, frameon=False, loc="best")
    set_texts([figure.suptitle(title)], font_for([title]), 12)
    return to_rgb(figure)


def draw_importance(importances: Mapping[str, float], metric: str, title: str) -> np.ndarray:
    """Return bars of how much of the variance of a metric each option explains, the largest above.

    Args:
        importances: option -> share of the variance, in [0, 1].
        metric: the metric.
        title: a line above.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: there are no options.
    """
    if not importances:
        raise ValueError("no importances to draw")
    order = sorted(importances.items(), key=lambda pair: pair[1])
    figure = new_figure(1000, 190 + 62 * len(order))
    axes = figure.subplots()
    plain_axes(axes)
    axes.grid(False, axis="y")
    names = [name.replace("_", " ") for name, _ in order]
    values = [value for _, value in order]
    axes.barh(range(len(order)), values, color=COLOURS[0], height=0.6)
    for place, value in enumerate(values):
        axes.annotate(f"{value:.0%}", (value, place), (5, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(range(len(order)), names)
    axes.set_xlim(0, max(1.0, *values) * 1.08)
    axes.set_xlabel(f"share of the variance of {metric} (fANOVA)", fontsize=9)
    set_texts([figure.suptitle(title)], font_for([title]), 12)
    return to_rgb(figure)
