"""Training curves: loss, metrics and learning rate by epoch. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcli.core.records import is_number
from dlcli.visualize.figure import COLOURS, count_axis, new_figure, plain_axes, set_texts, to_rgb
from dlcli.visualize.fonts import font_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NOT_DRAWN = ("epoch", "step", "seconds", "items_per_s")
SHOWN_NAMES = {"loss": "training", "val_loss": "validation"}
MOST_MARKED = 40
"""With at most this many epochs, each is marked by a dot."""


def draw_curves(records: Sequence[Mapping[str, Any]], title: str, *, best_epoch: int | None = None) -> np.ndarray:
    """Return the training curves: one panel for the losses, one for each metric, one for the learning rate.

    Args:
        records: one per epoch: `epoch`, `loss`, `val_loss`, metrics by name, `lr`; a value may be None (not finite).
        title: a line above.
        best_epoch: the epoch of the best checkpoint, marked in every panel; None marks the one with the lowest
            `val_loss` (or `loss` if there is none), and the title says so.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: there are no records.
    """
    if not records:
        raise ValueError("no epochs to draw")
    epochs = np.array([record["epoch"] for record in records], dtype=float)
    panels = panels_of(records)
    marked, what = (best_epoch, "best epoch") if best_epoch is not None else _lowest(records)
    columns = min(len(panels), 3 if len(panels) > 4 else 2)
    rows = math.ceil(len(panels) / columns)
    figure = new_figure(800 * columns, 560 * rows + 70)
    all_axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, series) in zip(all_axes, panels.items(), strict=False):
        _draw_panel(axes, name, epochs, {label: values_of(records, label) for label in series}, marked)
    for axes in all_axes[len(panels) :]:
        axes.set_axis_off()
    subtitle = f"{title}    ◆ {what} {marked:g}" if marked is not None else title
    set_texts([figure.suptitle(subtitle)], font_for([subtitle]), 12)
    return to_rgb(figure)


def panels_of(records: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the panels in order, each with the names of the series it draws."""
    names = list(dict.fromkeys(name for record in records for name, value in record.items() if is_number(value)))
    losses = [name for name in names if name in ("loss", "val_loss") or name.startswith("loss_")]
    metrics = [name for name in names if name not in (*losses, *NOT_DRAWN, "lr")]
    panels = {"loss": losses or ["loss"]}
    panels |= {name: [name] for name in metrics}
    return panels | ({"learning rate": ["lr"]} if "lr" in names else {})


def values_of(records: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """Return one value per epoch; a missing one is NaN, a gap in the line."""
    return np.array([record[name] if is_number(record.get(name)) else np.nan for record in records], dtype=float)


def _lowest(records: Sequence[Mapping[str, Any]]) -> tuple[float | None, str]:
    for name in ("val_loss", "loss"):
        values = values_of(records, name)
        if np.isfinite(values).any():
            return float(records[int(np.nanargmin(values))]["epoch"]), f"lowest {name}, epoch"
    return None, ""


def _draw_panel(
    axes: Axes, name: str, epochs: np.ndarray, series: Mapping[str, np.ndarray], marked: float | None
) -> None:
    plain_axes(axes)
    marker = "o" if len(epochs) <= MOST_MARKED else None
    colours = {label: COLOURS[index % len(COLOURS)] for index, label in enumerate(series)}
    for label, values in series.items():
        shown = SHOWN_NAMES.get(label, label)
        axes.plot(epochs, values, color=colours[label], marker=marker, markersize=3.5, linewidth=1.6, label=shown)
    if marked is not None:
        _mark(axes, marked, {label: values[epochs == marked] for label, values in series.items()}, colours)
    axes.set_title(name, fontsize=11, loc="left")
    count_axis(axes, "epoch")
    axes.margins(x=0.05, y=0.15)
    if len(epochs) == 1:
        axes.set_xlim(epochs[0] - 1, epochs[0] + 1)
        axes.set_xticks(epochs)
    every = np.concatenate(list(series.values()))
    if name == "learning rate" and (every > 0).all() and every.max() > 100 * every.min():
        axes.set_yscale("log")
    if len(series) > 1:
        axes.legend(fontsize=8, frameon=False)


def _mark(axes: Axes, epoch: float, values: Mapping[str, np.ndarray], colours: Mapping[str, str]) -> None:
    """Mark an epoch, with its values above the higher curve and below the lower one."""
    axes.axvline(epoch, color="#888888", linewidth=0.9, linestyle=":", zorder=1)
    found = {label: float(value[-1]) for label, value in values.items() if value.size and np.isfinite(value[-1])}
    for label, value in found.items():
        axes.plot([epoch], [value], color=colours[label], marker="D", markersize=7, markeredgecolor="black", zorder=3)
    # The terms of a loss are marked without values, which would overlap.
    written = {label: value for label, value in found.items() if not label.startswith("loss_")}
    for label, value in written.items():
        is_lower = len(written) > 1 and value == min(written.values())
        axes.annotate(
            f"{value:.4g}",
            (epoch, value),
            (0, -10 if is_lower else 10),
            textcoords="offset points",
            ha="center",
            va="top" if is_lower else "bottom",
            fontsize=8,
            color="black" if len(written) == 1 else colours[label],
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85},
        )
