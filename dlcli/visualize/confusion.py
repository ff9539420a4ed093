"""The confusion matrix as a picture. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcli.core.console import shorten
from dlcli.visualize.figure import DPI, new_figure, set_texts, to_rgb
from dlcli.visualize.fonts import font_for, sized_font, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NUMBERED = 20
"""With at most this many classes, the cells show numbers; with more they would be illegible."""
LONGEST_NAME = 18
MANY_CLASSES = 40


def draw_confusion(
    matrix: np.ndarray, class_names: Sequence[str], *, normalise: bool = True, title: str | None = None
) -> np.ndarray:
    """Return a picture of a confusion matrix, legible from 2 to about 100 classes.

    The colour scale is a square root, so that rare confusions show beside a strong diagonal. The row of a class
    without samples is grey.

    Args:
        matrix: (C, C) int counts, rows true, columns predicted.
        class_names: C names.
        normalise: show percentages of each row (the diagonal is then the recall) instead of counts.
        title: precedes the accuracy in the line above.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: the matrix is not C x C.
    """
    matrix = np.asarray(matrix)
    num_classes = len(class_names)
    if matrix.shape != (num_classes, num_classes):
        raise ValueError(f"a {matrix.shape} matrix for {num_classes} names")
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.full(matrix.shape, np.nan), where=totals > 0)
    values = shares * 100 if normalise else np.where(totals > 0, matrix.astype(float), np.nan)
    cell_px = min(max(1500 / num_classes, 17), 110)
    figure = new_figure(cell_px * num_classes + 480, cell_px * num_classes + 400)
    axes = figure.subplots()
    image = _draw_cells(axes, values, normalise)
    if num_classes <= MOST_NUMBERED:
        _write_numbers(axes, values, cell_px, image)
    names = [shorten(name, LONGEST_NAME) for name in class_names]
    label_pt = min(max(cell_px * 0.4 * 72 / DPI, 5), 11)
    font = font_for([*names, title or ""])
    axes.set_xticks(range(num_classes), names)
    axes.set_yticks(range(num_classes), names)
    set_texts([*axes.get_xticklabels(), *axes.get_yticklabels()], font, label_pt)
    face = sized_font(font.path, round(label_pt * DPI / 72))
    if max(text_width(name, face) for name in names) > 0.9 * cell_px:
        turned = {"rotation": 90} if num_classes > MANY_CLASSES else {"rotation": 45, "ha": "right"}
        for label in axes.get_xticklabels():
            label.set(**turned, rotation_mode="anchor" if num_classes <= MANY_CLASSES else "default")
    axes.set_xlabel("predicted", fontsize=11)
    axes.set_ylabel("true", fontsize=11)
    unit = "per cent of the true class" if normalise else "samples"
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=30, pad=0.02)
    bar.set_label(unit, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    if normalise:
        bar.set_ticks([0, 1, 5, 10, 25, 50, 75, 100])
    total = int(matrix.sum())
    accuracy = f"{matrix.trace() / total:.2%} of {total:,} right" if total else "no samples"
    axes.set_title(f"{title}: {accuracy}" if title else accuracy)
    set_texts([axes.title], font, 12)
    return to_rgb(figure)


def _draw_cells(axes: Axes, values: np.ndarray, normalise: bool) -> Any:
    import matplotlib
    from matplotlib.colors import PowerNorm

    colours = matplotlib.colormaps["Blues"].with_extremes(bad="#dddddd")
    top = 100.0 if normalise else max(float(np.nanmax(values, initial=0.0)), 1.0)
    image = axes.imshow(np.ma.masked_invalid(values), cmap=colours, norm=PowerNorm(0.5, vmin=0, vmax=top))
    axes.set_xticks(np.arange(len(values) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(values) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.0 if len(values) <= MOST_NUMBERED else 0.3)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    return image


def _write_numbers(axes: Axes, values: np.ndarray, cell_px: float, image: Any) -> None:
    longest = max(len(_number(value)) for value in values.flat)
    size_pt = min(cell_px * 1.1 / max(longest, 3) * 72 / DPI, 13)
    for (row, column), value in np.ndenumerate(values):
        is_dark = np.isfinite(value) and float(image.norm(value)) > 0.6
        axes.text(
            column,
            row,
            _number(value),
            ha="center",
            va="center",
            fontsize=size_pt,
            color="white" if is_dark else "#333333",
        )


def _number(value: float) -> str:
    """Return a cell's text: exactly 0 is blank, and values are never rounded to 0 or 100 per cent."""
    if not np.isfinite(value) or value == 0:
        return ""
    if value == round(value):
        return f"{value:.0f}"
    if value < 0.05:
        return "<0.1"
    if 99.5 <= value < 100:
        return ">99"
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
