"""Text lengths by class as a picture. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from dlcli.core.console import shorten
from dlcli.visualize.figure import COLOURS, new_figure, plain_axes, set_texts, to_rgb
from dlcli.visualize.fonts import font_for
from dlcli.visualize.text_lines import printable

MOST_CLASSES = len(COLOURS)
"""The largest classes each have a curve; the others share one."""
NUM_BINS = 60
LONGEST_NAME = 24
LAST_QUANTILE = 0.995
"""The axis ends just past this quantile of all lengths, so that one text of 10,000 tokens does not squeeze the rest."""
MOST_FILLED = 3
"""With more curves, the filled areas would hide each other."""


def draw_lengths(lengths_by_class: Mapping[str, np.ndarray], *, title: str) -> np.ndarray:
    """Return a picture of the distribution of text lengths: one curve per class, median and 95th percentile marked.

    The area under each curve is 100 %, so that a small class is visible beside a large one. The few longest texts lie
    beyond the end of the axis; its label counts them.

    Args:
        lengths_by_class: class name -> (N,) lengths in tokens, at least 0.
        title: a line above.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: there are no lengths.
    """
    named = {name: np.asarray(lengths) for name, lengths in lengths_by_class.items() if len(lengths)}
    if not named:
        raise ValueError("no lengths to draw")
    series = _series(named)
    everything = np.concatenate(list(named.values()))
    edges = _bin_edges(everything)
    figure = new_figure(1400, 750)
    axes = figure.subplots()
    plain_axes(axes)
    for index, (name, lengths) in enumerate(series.items()):
        shares = np.histogram(np.minimum(lengths, edges[-1] + 1), edges)[0] / len(lengths) * 100
        label = f"{name}\nmedian {np.median(lengths):,.0f}, {len(lengths):,} texts"
        colour = COLOURS[index] if index < len(COLOURS) else "#777777"
        axes.stairs(shares, edges, color=colour, linewidth=1.6, label=label)
        if len(series) <= MOST_FILLED:
            axes.stairs(shares, edges, color=colour, fill=True, alpha=0.12)
    marks = {"median": np.median(everything), "95 %": np.percentile(everything, 95)}
    for line, (name, value) in enumerate(marks.items()):
        axes.axvline(value, color="#555555", linewidth=1.0, linestyle=":")
        axes.annotate(
            f"{name}: {value:,.0f}",
            (value, 1),
            (4, -4 - 12 * line),  # one below the other, since the two may be close together
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
            fontsize=9,
        )
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    axes.margins(y=0.15)
    num_beyond = int((everything > edges[-1]).sum())
    beyond = f"; {num_beyond:,} texts are longer, up to {everything.max():,.0f}" if num_beyond else ""
    axes.set_xlabel(f"tokens{beyond}", fontsize=10)
    axes.set_ylabel("per cent of the class's texts", fontsize=10)
    legend = axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes.set_title(printable(title))
    font = font_for([title, *series])
    set_texts(legend.get_texts(), font, 9)
    set_texts([axes.title], font, 12)
    return to_rgb(figure)


def _series(named: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the lengths by curve: the largest classes in their given order, then the others as one."""
    largest = sorted(named, key=lambda name: -len(named[name]))[:MOST_CLASSES]
    series = {shorten(printable(name), LONGEST_NAME): named[name] for name in named if name in largest}
    others = [lengths for name, lengths in named.items() if name not in largest]
    if others:
        series[f"{len(others)} other classes"] = np.concatenate(others)
    return series


def _bin_edges(lengths: np.ndarray) -> np.ndarray:
    """Return bin edges halfway between integers, so that every bin covers the same number of lengths."""
    last = math.ceil(float(np.quantile(lengths, LAST_QUANTILE)) * 1.05)
    step = max(1, math.ceil((last + 1) / NUM_BINS))
    return np.arange(0, last + step + 1, step) - 0.5
