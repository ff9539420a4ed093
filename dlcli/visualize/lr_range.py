"""A learning rate range test as a picture: loss against learning rate. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlcli.visualize.figure import COLOURS, new_figure, plain_axes, to_rgb


def draw_lr_range(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    *,
    chosen: float,
    lost: float | None = None,
) -> np.ndarray:
    """Return the picture of a range test, with the chosen rate and the one at which the loss diverged.

    Args:
        rates, losses, smoothed: N values, one per step.
        chosen: the chosen learning rate.
        lost: the learning rate at which the loss diverged; None if it did not.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    figure = new_figure(1000, 640)
    axes = figure.subplots()
    plain_axes(axes)
    axes.plot(rates, losses, color=COLOURS[0], alpha=0.35, linewidth=1.0, label="each step")
    axes.plot(rates, smoothed, color=COLOURS[0], linewidth=1.8, label="smoothed")
    axes.axvline(chosen, color=COLOURS[2], linewidth=1.2, label=f"chosen: {chosen:g}")
    if lost is not None:
        axes.axvline(lost, color=COLOURS[1], linewidth=1.2, linestyle="--", label=f"diverges: {lost:.2g}")
    axes.set_xscale("log")
    # The diverged part would flatten the part that matters.
    low, first = min(smoothed), smoothed[0]
    axes.set_ylim(low - 0.3 * (first - low), first + 1.0 * (first - low))
    axes.set_xlabel("learning rate", fontsize=9)
    axes.set_title("loss", fontsize=11, loc="left")
    axes.legend(fontsize=8, frameon=False, loc="upper left")
    return to_rgb(figure)
