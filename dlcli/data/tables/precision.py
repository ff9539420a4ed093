"""Keeping numbers apart in the network's float32: they are centred in float64 before they are cast. No torch.

A float32 has 24 bits: times in milliseconds since 1970 are one value or two in it, and so is a target of 1e9 with its
variation around it.
"""

from __future__ import annotations

import numpy as np

from dlcli.core.errors import DataError

LARGEST = 3e38
"""About the largest float32."""

SMALLEST = 1e-30
"""Numbers that vary by less than this come near the smallest float32, where its precision ends."""

FAR = 1e3
"""A column this many times farther from zero than it is spread is centred: without, 24 bits leave under 14 for it."""


def offset_of(values: np.ndarray) -> float:
    """Return what to subtract from known values in float64 before they become float32: their median if they lie far
    from zero for their spread, else 0.

    Args:
        values: (N,) float64 without NaN.
    """
    if not len(values):
        return 0.0
    low, median, high = (float(value) for value in np.quantile(values, (0.25, 0.5, 0.75), method="nearest"))
    spread = high - low or float(values.std())
    is_constant = spread <= 1e-12 * abs(median)  # the spread is no more than rounding
    return median if not is_constant and abs(median) > FAR * spread else 0.0


def refuse_extremes(values: np.ndarray, name: str, where: str) -> None:
    """Check that float32 can hold the values and their differences.

    Args:
        values: (N,) float64; NaN for missing ones.
        name, where: the column and its source, for the message.

    Raises:
        DataError: it cannot.
    """
    known = values[~np.isnan(values)]
    if not len(known) or known.min() == known.max():
        return
    largest = float(np.abs(known).max())
    if largest > LARGEST:
        raise DataError(
            f"{where}: {name!r} contains {largest:g}, too large for a network",
            hint="divide the column by a power of ten, or correct the cell",
        )
    centred = known - offset_of(known)
    if float(np.abs(centred).max()) < SMALLEST:
        raise DataError(
            f"{where}: {name!r} varies by less than {SMALLEST:g}, too little for a network",
            hint="multiply the column by a power of ten",
        )
    num_values, num_left = len(np.unique(known)), len(np.unique(centred.astype(np.float32)))
    if num_values > 2 and num_left < num_values / 2:
        raise DataError(
            f"{where}: {name!r} has {num_values:,} values, but only {num_left:,} in the network's float32",
            details=[f"from {known.min():.10g} to {known.max():.10g}"],
            hint=f"correct the cells far from the others, rescale the column, or leave it out with --drop {name!r}",
        )
