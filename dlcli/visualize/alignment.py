"""How much a translator looks at each source token for each token that it says, as a heat map. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlcli.core.console import shorten
from dlcli.visualize.canvas import add_title
from dlcli.visualize.figure import DPI, new_figure, set_texts, to_rgb
from dlcli.visualize.fonts import font_for, sized_font, text_width
from dlcli.visualize.text_lines import printable

MOST_TOKENS = 60
"""Of a side; more would be illegible, and the title counts what is left out."""
LONGEST_TOKEN = 14


def draw_alignment(weights: np.ndarray, source: Sequence[str], target: Sequence[str], *, title: str) -> np.ndarray:
    """Return a heat map: a row for each target token, a column for each source token, darker for more weight.

    Args:
        weights: (T, S) finite, in [0, 1].
        source: S tokens.
        target: T tokens.
        title: a line above.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: a side has no tokens, the sizes differ, or a weight is not finite.
    """
    weights = np.asarray(weights, np.float64)
    if not len(source) or not len(target) or weights.shape != (len(target), len(source)):
        raise ValueError(f"weights {weights.shape} for {len(target)} and {len(source)} tokens")
    if not np.isfinite(weights).all():
        raise ValueError("weights are finite numbers")
    left_out = [f"{len(side):,}" for side in (source, target) if len(side) > MOST_TOKENS]
    shown = weights[:MOST_TOKENS, :MOST_TOKENS]
    columns, rows = ([shorten(printable(token), LONGEST_TOKEN) or "␣" for token in side] for side in (source, target))
    columns, rows = columns[:MOST_TOKENS], rows[:MOST_TOKENS]
    heading = printable(title) + (f" (the first {MOST_TOKENS} of {' and '.join(left_out)} tokens)" if left_out else "")
    cell_px = min(max(1200 / max(shown.shape), 24), 70)
    figure = new_figure(max(cell_px * shown.shape[1] + 330, 700), cell_px * shown.shape[0] + 330)
    axes = figure.subplots()
    image = axes.imshow(shown, cmap="Blues", vmin=0.0, vmax=max(float(shown.max()), 1e-6))
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    font = font_for([*columns, *rows])
    size_pt = min(max(cell_px * 0.45 * 72 / DPI, 6), 12)
    set_texts([*axes.get_xticklabels(), *axes.get_yticklabels()], font, size_pt)
    face = sized_font(font.path, round(size_pt * DPI / 72))
    if max(text_width(name, face) for name in columns) > 0.9 * cell_px:
        for label in axes.get_xticklabels():
            label.set(rotation=60, ha="left", rotation_mode="anchor")
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=30, pad=0.02)
    bar.ax.tick_params(labelsize=8)
    return add_title(to_rgb(figure), [heading])
