"""The range test: the learning rate grows step by step, and the loss tells which one to take.

Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186, section 3.3; the
exponential growth over a hundred steps and the steepest fall are fastai's reading of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcli.core.errors import UsageError

LOWEST, HIGHEST, NUM_STEPS = 1e-6, 10.0, 100
"""Rates that are surely too low and too high, and 14 steps to each decade between them."""

LOST = 4.0
"""A smoothed loss this many times the lowest one is lost (fastai's value)."""

WINDOWS = (9, 15, 21, 31)
"""Steps that the smoothing takes in, weighted as a hill: the fewer the better a slope stays in its place, so the first
one counts over which the noise of single batches is small."""

CLEAR = 10.0
"""How many times its noise the fall of a smoothed loss shall be; where even the last window leaves it under `FALL`
times, nothing has fallen."""

FALL = 4.0

MARGIN = 10.0
"""How far the rate stays below the one at which the loss is lost."""


@dataclass(frozen=True)
class LrRange:
    """A range test.

    Attributes:
        rates, losses: of each step; the losses are finite.
        smoothed: the losses, smoothed.
        chosen: the learning rate to take.
        lost: the rate at which the loss was lost, None where it was not.
        reason: one line about the choice.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    chosen: float
    lost: float | None
    reason: str


def is_lost(losses: Sequence[float]) -> bool:
    """Return whether the newest loss is no number, or the smoothed one far above the lowest and above the first."""
    if not math.isfinite(losses[-1]):
        return True
    smoothed = smooth(losses, WINDOWS[0])
    rise = smoothed[-1] - smoothed.min()
    return len(losses) > WINDOWS[0] and bool(smoothed[-1] > smoothed[0] and rise > (LOST - 1) * abs(smoothed.min()))


def smooth(losses: Sequence[float] | np.ndarray, window: int) -> np.ndarray:
    """Return the losses as means over a hill-shaped window; at the ends over the part of it that there is."""
    values = np.asarray(losses, dtype=float)
    if len(values) < window:
        return values
    hill = np.hanning(window + 2)[1:-1]
    return np.convolve(values, hill, "same") / np.convolve(np.ones(len(values)), hill, "same")


def find_rate(rates: Sequence[float], losses: Sequence[float]) -> LrRange:
    """Return the range test with its choice: where the loss falls steepest, and well below where it is lost.

    Args:
        rates: the learning rate of each step, growing.
        losses: the loss of each step; the first that is no number ends the test.

    Raises:
        UsageError: the loss does not fall at any rate.
    """
    end = next((index for index, loss in enumerate(losses) if not math.isfinite(loss)), len(losses))
    lost = rates[end] if end < len(losses) else rates[end - 1] if end and is_lost(losses[:end]) else None
    smoothed = _smooth_until_clear(np.asarray(losses[:end], dtype=float))
    if smoothed is None:
        message = f"--lr auto: the loss falls at no learning rate between {LOWEST:g} and {HIGHEST:g}"
        raise UsageError(message, hint="give --lr a number")
    slopes = np.gradient(smoothed, np.log10(rates[:end]))[: int(smoothed.argmin()) + 1]
    steepest = rates[int(slopes.argmin())]
    bound = lost / MARGIN if lost is not None else math.inf
    chosen = float(f"{min(steepest, bound):.2g}")
    end_of_it = f"is not lost up to {rates[end - 1]:.2g}" if lost is None else f"is lost at {lost:.2g}"
    reason = f"learning rate {chosen:g}: the loss falls steepest at {steepest:.2g} and {end_of_it}"
    kept = [np.asarray(part, dtype=float)[:end].tolist() for part in (rates, losses, smoothed)]
    return LrRange(tuple(kept[0]), tuple(kept[1]), tuple(kept[2]), chosen, lost, reason)


def _smooth_until_clear(losses: np.ndarray) -> np.ndarray | None:
    """Return the losses smoothed until their fall stands out from the noise, None where it does not."""
    if len(losses) <= WINDOWS[0]:
        return None
    # Between neighbours the rate is nearly the same; the median does not see the few steps of an explosion.
    noise = 1.4826 * float(np.median(np.abs(np.diff(losses)))) / math.sqrt(2)
    before = float(np.median(losses[: WINDOWS[1]]))
    for window in WINDOWS:
        smoothed = smooth(losses, window)
        left = noise / math.sqrt(0.67 * window)  # the hill counts two thirds of its steps in full
        fall = min(before, float(smoothed[0])) - float(smoothed.min()) - 1e-6 * abs(before)
        if fall > CLEAR * left:
            return smoothed
    return smoothed if fall > FALL * left else None
