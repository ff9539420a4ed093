"""TrivialAugment (Mueller & Hutter 2021, arXiv:2103.10158): one operation at random, at a random strength."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from dlcli.data.images.operations.columns import COLUMNS, Columns

LEVELS = 31
"""Strengths, from none to the full one; the paper's number."""


class _Range(NamedTuple):
    """What an operation makes of a level in [0, 1]; `signed` ones get a random sign first."""

    column: str
    value: Callable[[np.ndarray], np.ndarray]
    signed: bool = False


def _scaled(limit: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda level: limit * level


def _factor(level: np.ndarray) -> np.ndarray:
    return 1 + 0.99 * level


RANGES: Mapping[str, _Range | None] = {
    "identity": None,
    "shear x": _Range("shear_x", lambda level: np.degrees(np.arctan(0.99 * level)), True),
    "shear y": _Range("shear_y", lambda level: np.degrees(np.arctan(0.99 * level)), True),
    # The paper's 32 pixels, of a photo's 224: they would push a small image out of its frame.
    "translate x": _Range("shift_x", _scaled(32 / 224), True),
    "translate y": _Range("shift_y", _scaled(32 / 224), True),
    "rotate": _Range("angle", _scaled(135), True),
    "brightness": _Range("brightness", _factor, True),
    "colour": _Range("saturation", _factor, True),
    "contrast": _Range("contrast", _factor, True),
    "sharpness": _Range("sharpness", _factor, True),
    "posterize": _Range("bits", lambda level: 8 - np.round(6 * level)),
    "solarize": _Range("threshold", lambda level: 255 * (1 - level)),
    "autocontrast": _Range("autocontrast", lambda level: np.ones(len(level), dtype=bool)),
    "equalize": _Range("equalize", lambda level: np.ones(len(level), dtype=bool)),
}
"""The fourteen operations with the ranges of the paper's "wide" search space."""


def draw_trivial(random: np.random.Generator, strength: float, count: int) -> Columns:
    """Return the numbers of one random operation per image; all others are neutral.

    Args:
        random: generator of the random numbers.
        strength: share of the full strength that the strongest level has.
        count: number of images.
    """
    chosen = random.integers(0, len(RANGES), count)
    level = strength * random.integers(0, LEVELS, count) / (LEVELS - 1)
    signed = np.where(random.random(count) < 0.5, -level, level)
    columns: Columns = {}
    for number, drawn in enumerate(RANGES.values()):
        if drawn is not None:
            values = drawn.value(signed if drawn.signed else level)
            columns[drawn.column] = np.where(chosen == number, values, COLUMNS[drawn.column].neutral).astype(
                values.dtype
            )
    return columns
