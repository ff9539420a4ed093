"""matplotlib figures through its object interface only: no pyplot, no global state, no windows. Torch-free."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcli.visualize.fonts import Font, font_properties

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Distinct to colour-blind readers (Okabe and Ito 2008, "Color Universal Design"), without their yellow, too pale on
white, and their black, reserved for averages."""

LINE_STYLES = ("-", "--", "-.", ":")


def new_figure(width_px: float, height_px: float) -> Figure:
    """Return an empty figure of the given size with a layout that cuts off no text."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    figure = Figure(figsize=(width_px / DPI, height_px / DPI), dpi=DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def to_rgb(figure: Figure) -> np.ndarray:
    """Return the figure as (H, W, 3) uint8 RGB."""
    canvas: Any = figure.canvas
    with warnings.catch_warnings():
        # The command reports characters that no font can draw once (`missing_glyphs`), not once per character.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def line_look(index: int) -> dict[str, Any]:
    """Return the colour and line style of the n-th curve; 24 combinations are distinct."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": LINE_STYLES[index // len(COLOURS) % len(LINE_STYLES)],
    }


def set_texts(texts: Iterable[Any], font: Font, size_pt: float) -> None:
    """Set the font of texts and turn off math mode: a `$` in a class name is a dollar sign."""
    for text in texts:
        text.set_fontproperties(font_properties(font))
        text.set_fontsize(size_pt)
        text.set_parse_math(False)


def count_axis(axes: Axes, noun: str) -> None:
    """Let the horizontal axis count epochs or trials: whole numbers at its ticks, below them what is counted."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel(noun, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def plain_axes(axes: Axes) -> None:
    """Hide the right and top spines and add a faint grid."""
    axes.spines[["right", "top"]].set_visible(False)
    axes.grid(True, color="#e2e2e2", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)
