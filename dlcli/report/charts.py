"""Line charts as plain geometry, which the page's template draws as SVG: its colours follow the reader's theme.

matplotlib's SVG has fixed colours, 40 KB a panel, and text as paths; these have none of the three.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcli.core.console import format_figure
from dlcli.visualize.curves import SHOWN_NAMES, panels_of, values_of

WIDTH, HEIGHT = 360, 216
"""Of a chart, in units of its view box: at 390 px of screen a unit is about a pixel."""
LEFT, RIGHT, TOP, BOTTOM = 54, 352, 12, 186
"""The edges of the plotted area."""
MAX_POINTS = 300
NUM_TICKS = 4
LOG_RANGE = 100
"""A learning rate that varies by more than this factor has a logarithmic axis."""


@dataclass(frozen=True)
class Line:
    """One curve: its name, its polylines (a gap in the values cuts it), single points, and its last value."""

    name: str
    paths: Sequence[str]
    dots: Sequence[tuple[float, float]]
    last: str


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        title: its heading.
        lines: the curves.
        x_ticks, y_ticks: position and label of each tick.
        mark: the position of the vertical line, or None.
        alt: what it shows, in words.
    """

    title: str
    lines: Sequence[Line]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    mark: float | None
    alt: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


def curve_charts(records: Sequence[Mapping[str, Any]], best_epoch: float | None) -> list[Chart]:
    """Return the charts of a training: losses, each metric, and the learning rate, by epoch.

    Args:
        records: as `read_metrics` returns them, at least one.
        best_epoch: marked in each chart; None for no mark.
    """
    epochs = np.array([record["epoch"] for record in records], dtype=float)
    charts = []
    for title, names in panels_of(records).items():
        series = {SHOWN_NAMES.get(name, name): (epochs, values_of(records, name)) for name in names}
        chart = line_chart(title, series, mark=best_epoch, may_be_log=title == "learning rate")
        if chart is not None:
            charts.append(chart)
    return charts


def line_chart(
    title: str,
    series: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    mark: float | None = None,
    may_be_log: bool = False,
) -> Chart | None:
    """Return a chart of curves; None if no value is finite.

    Args:
        title: its heading.
        series: name -> (N,) positions and (N,) values; NaN is a gap.
        mark: a position to be marked.
        may_be_log: use a logarithmic axis for positive values of a wide range.
    """
    known = np.concatenate([values[np.isfinite(values)] for _, values in series.values()])
    if not len(known):
        return None
    is_log = may_be_log and known.min() > 0 and known.max() > LOG_RANGE * known.min()
    scaled = {name: (x, np.log10(values) if is_log else values) for name, (x, values) in series.items()}
    low, high = _padded(np.log10(known) if is_log else known)
    positions = np.concatenate([x for x, _ in series.values()])
    first, last = float(positions.min()), float(positions.max())
    if first == last:
        first, last = first - 1, last + 1

    def across(x: Any) -> Any:
        return LEFT + (x - first) / (last - first) * (RIGHT - LEFT)

    def down(y: Any) -> Any:
        return BOTTOM - (y - low) / (high - low) * (BOTTOM - TOP)

    lines = [
        _line(name, across(x), down(y), series[name][1]) for name, (x, y) in scaled.items() if np.isfinite(y).any()
    ]
    y_ticks = [(float(down(t)), _short(10**t if is_log else t)) for t in ticks(low, high, whole=is_log)]
    x_ticks = [(float(across(t)), f"{t:g}") for t in ticks(first, last, whole=True)]
    ends = "; ".join(f"{line.name} {line.last} at the end" for line in lines)
    is_inside = mark is not None and first <= mark <= last
    return Chart(
        title, lines, x_ticks, y_ticks, float(across(mark)) if is_inside else None, f"{title} by epoch: {ends}"
    )


def _padded(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = (high - low) * 0.06 or abs(high) * 0.05 or 0.5
    return low - margin, high + margin


def _line(name: str, x: np.ndarray, y: np.ndarray, values: np.ndarray) -> Line:
    """Return a curve through at most `MAX_POINTS` points; of a longer one every n-th, and its last."""
    finite = np.flatnonzero(np.isfinite(y))
    last = format_figure(float(values[finite[-1]]))
    pieces = np.split(finite, np.flatnonzero(np.diff(finite) > 1) + 1)
    step = max(math.ceil(len(finite) / MAX_POINTS), 1)
    paths, dots = [], []
    for piece in pieces:
        kept = np.unique([*piece[::step], piece[-1]])
        points = [(round(float(x[row]), 1), round(float(y[row]), 1)) for row in kept]
        if len(points) > 1:
            paths.append(" ".join(f"{across:g},{down:g}" for across, down in points))
        else:
            dots += points
    return Line(name, paths, dots, last)


def ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Return about four round numbers (1, 2 or 5 times a power of ten) in a range; with `whole` integers only.

    >>> ticks(0, 10)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    rough = (high - low) / NUM_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.8)
    step = max(round(step), 1) if whole else step
    start, end = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) + 0.0 for number in range(start, end + 1)]


def _short(value: float) -> str:
    return f"{value:.3g}"
