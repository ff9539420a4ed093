"""The learning rate range test: the rate grows with each step, and the loss curve determines which rate to use.

Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186, section 3.3; the
exponential growth over a hundred steps and the choice of the steepest slope are fastai's variant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcli.core.errors import UsageError

LOWEST, HIGHEST, NUM_STEPS = 1e-6, 10.0, 100
"""Rates that are certainly too low and too high, with about 14 steps per decade between them."""

LOST = 4.0
"""A smoothed loss above this multiple of the lowest one has diverged (fastai's value)."""

WINDOWS = (9, 15, 21, 31)
"""Widths in steps of the Hann window that smooths the loss. A narrow window shifts a slope less, so the narrowest that
suppresses the noise of single batches is used."""

CLEAR = 10.0
"""The smoothed loss must drop by this many times its noise, or the next wider window is tried. If even the widest gives
less than `FALL` times, the loss has not fallen."""

FALL = 4.0

MARGIN = 10.0
"""The chosen rate is at most the rate at which the loss diverges divided by this."""


@dataclass(frozen=True)
class LrRange:
    """The result of a range test.

    Attributes:
        rates, losses: one value per step; the losses are finite.
        smoothed: the smoothed losses.
        chosen: the learning rate to use.
        lost: the rate at which the loss diverged; None if it did not.
        reason: one line that explains the choice.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    chosen: float
    lost: float | None
    reason: str


def is_lost(losses: Sequence[float]) -> bool:
    """Return whether the last loss is not finite, or the last smoothed one far above the lowest and above the first."""
    if not math.isfinite(losses[-1]):
        return True
    smoothed = smooth(losses, WINDOWS[0])
    rise = smoothed[-1] - smoothed.min()
    return len(losses) > WINDOWS[0] and bool(smoothed[-1] > smoothed[0] and rise > (LOST - 1) * abs(smoothed.min()))


def smooth(losses: Sequence[float] | np.ndarray, window: int) -> np.ndarray:
    """Return (N,) losses averaged over a Hann window, which is truncated at the ends; unchanged if N < `window`."""
    values = np.asarray(losses, dtype=float)
    if len(values) < window:
        return values
    hill = np.hanning(window + 2)[1:-1]
    return np.convolve(values, hill, "same") / np.convolve(np.ones(len(values)), hill, "same")


def find_rate(rates: Sequence[float], losses: Sequence[float]) -> LrRange:
    """Return the range test with its choice: where the loss falls fastest, and well below where it diverges.

    Args:
        rates: N increasing learning rates, one per step.
        losses: N losses; the first non-finite one ends the test.

    Raises:
        UsageError: the loss does not fall at any rate.
    """
    end = next((index for index, loss in enumerate(losses) if not math.isfinite(loss)), len(losses))
    lost = rates[end] if end < len(losses) else rates[end - 1] if end and is_lost(losses[:end]) else None
    smoothed = _smooth_until_clear(np.asarray(losses[:end], dtype=float))
    if smoothed is None:
        message = f"--lr auto: the loss does not fall at any learning rate from {LOWEST:g} to {HIGHEST:g}"
        raise UsageError(message, hint="give --lr a number")
    slopes = np.gradient(smoothed, np.log10(rates[:end]))[: int(smoothed.argmin()) + 1]
    steepest = rates[int(slopes.argmin())]
    bound = lost / MARGIN if lost is not None else math.inf
    chosen = float(f"{min(steepest, bound):.2g}")
    end_of_it = f"does not diverge up to {rates[end - 1]:.2g}" if lost is None else f"diverges at {lost:.2g}"
    reason = f"learning rate {chosen:g}: the loss falls fastest at {steepest:.2g} and {end_of_it}"
    kept = [np.asarray(part, dtype=float)[:end].tolist() for part in (rates, losses, smoothed)]
    return LrRange(tuple(kept[0]), tuple(kept[1]), tuple(kept[2]), chosen, lost, reason)


def _smooth_until_clear(losses: np.ndarray) -> np.ndarray | None:
    """Return the losses, smoothed until their drop stands out from the noise; None if it never does."""
    if len(losses) <= WINDOWS[0]:
        return None
    # Adjacent steps have nearly the same rate; the median ignores the few steps of a divergence.
    noise = 1.4826 * float(np.median(np.abs(np.diff(losses)))) / math.sqrt(2)
    before = float(np.median(losses[: WINDOWS[1]]))
    for window in WINDOWS:
        smoothed = smooth(losses, window)
        left = noise / math.sqrt(0.67 * window)  # a Hann window averages effectively two thirds of its steps
        fall = min(before, float(smoothed[0])) - float(smoothed.min()) - 1e-6 * abs(before)
        if fall > CLEAR * left:
            return smoothed
    return smoothed if fall > FALL * left else None
