"""Training curves for a terminal: lines of half blocks between lines of text, legible where a picture's text is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.core.console import format_figure
from dlcli.visualize.blocks import RESET, as_blocks
from dlcli.visualize.curves import SHOWN_NAMES, panels_of, values_of

ROWS = 8
"""Lines of a panel; each has two pixels."""
MAX_COLUMNS = 100
MARGIN = 10
"""Cells for the labels at the left."""
INKS = ((86, 180, 233), (230, 159, 0), (0, 190, 140), (204, 121, 167))
"""Okabe and Ito's colours that stand out on a dark and on a light background."""
BACKGROUND = (24, 27, 32)


def curve_lines(
    records: Sequence[Mapping[str, Any]], columns: int, *, has_true_colour: bool = True, most: int = 3
) -> list[str]:
    """Return the lines that show the losses and the metrics of a training.

    Args:
        records: as for `draw_curves`.
        columns: of the terminal.
        has_true_colour: see `as_blocks`.
        most: panels at most: the losses, then the metrics in the order of the records.
    """
    width = max(min(columns, MAX_COLUMNS) - MARGIN, 10)
    panels = {name: series for name, series in panels_of(records).items() if name != "learning rate"}
    wanted = [name for name in panels if not name.startswith("train_")]
    lines: list[str] = []
    for title in wanted[:most]:
        lines += _panel(title, {name: values_of(records, name) for name in panels[title]}, width, has_true_colour)
    return lines


def _panel(title: str, series: Mapping[str, np.ndarray], width: int, has_true_colour: bool) -> list[str]:
    known = np.concatenate([values[np.isfinite(values)] for values in series.values()])
    if not len(known):
        return []
    low, high = float(known.min()), float(known.max())
    canvas = np.empty((2 * ROWS, width, 3), np.uint8)
    canvas[:] = BACKGROUND
    names = []
    for index, (name, values) in enumerate(series.items()):
        ink = INKS[index % len(INKS)]
        _draw(canvas, values, low, high, ink)
        finite = values[np.isfinite(values)]
        last = format_figure(float(finite[-1])) if len(finite) else "-"
        code = "38;2;{};{};{}".format(*ink) if has_true_colour else f"38;5;{(75, 214, 36, 175)[index % 4]}"
        names.append(f"\033[{code}m{SHOWN_NAMES.get(name, name)} {last}{RESET}")
    labels = [format_figure(high), *[""] * (ROWS - 2), format_figure(low)]
    blocks = as_blocks(canvas, width, has_true_colour=has_true_colour)
    heading = "" if list(series) == [title] else f"{title}  "
    return [
        heading + "  ".join(names),
        *(f"{label:>{MARGIN - 1}} {line}" for label, line in zip(labels, blocks, strict=True)),
    ]


def _draw(canvas: np.ndarray, values: np.ndarray, low: float, high: float, ink: tuple[int, int, int]) -> None:
    """Draw the values from the left to the right edge; a gap stays one, a lone value is a dot."""
    import cv2

    height, width = canvas.shape[:2]
    across = np.linspace(0, width - 1, len(values)) if len(values) > 1 else np.array([(width - 1) / 2])
    down = (height - 1) * (1 - (values - low) / (high - low)) if high > low else np.full(len(values), (height - 1) / 2)
    points = [
        (round(float(x)), round(float(y))) if np.isfinite(y) and np.isfinite(v) else None
        for x, y, v in zip(across, down, values, strict=True)
    ]
    before = None
    for point in points:
        if point is not None:
            cv2.line(canvas, before or point, point, ink, 1)
        before = point
