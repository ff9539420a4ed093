"""The random numbers of a batch by name: what each means, the value that changes nothing, and how two are merged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Columns = dict[str, np.ndarray]
"""Name -> one row per image."""

Merge = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Column:
    """A number of each image: the value that changes nothing, and what two operations that draw it make together."""

    neutral: float
    merge: Merge


_SUM, _PRODUCT = Column(0.0, np.add), Column(1.0, np.multiply)
_FLAG = Column(False, np.logical_or)

COLUMNS: Mapping[str, Column] = {
    "flip": _FLAG,
    "vflip": _FLAG,
    "turns": _SUM,  # quarters, counter-clockwise
    "zoom": _PRODUCT,
    "aspect": _PRODUCT,  # of width to height
    "shear_x": _SUM,  # degrees
    "shear_y": _SUM,
    "angle": _SUM,  # degrees, counter-clockwise
    "corners": _SUM,  # (4, 2): by how much of the side top left, top right, bottom right, bottom left move in x and y
    "shift_x": _SUM,  # of the side
    "shift_y": _SUM,
    "area": _PRODUCT,  # of the window, in that of the largest one that fits
    "ratio": _SUM,  # see `geometry.windows`
    "place": _SUM,  # (2): of the room to the window's left and above it
    "brightness": _PRODUCT,
    "contrast": _PRODUCT,
    "saturation": _PRODUCT,
    "hue": _SUM,  # of the circle
    "grey": _FLAG,
    "bits": Column(8, np.minimum),
    "threshold": Column(256.0, np.minimum),
    "autocontrast": _FLAG,
    "equalize": _FLAG,
    "sharpness": _PRODUCT,
    "blur": _SUM,  # of the shorter side
    "noise": _SUM,  # of 255
    "noise_start": _SUM,  # where in a fixed table of noise the image's begins
    "erased": _FLAG,
    "erased_area": _SUM,
    "erased_ratio": _SUM,  # logarithm of width by height
    "erased_y": _SUM,  # of the room above and to the left
    "erased_x": _SUM,
    "square": _SUM,  # (2): the centre, of height and width
    "square_side": _SUM,  # of the shorter side
}


def merged(first: Columns, second: Columns) -> Columns:
    """Return the columns of two operations that act on the same images."""
    both = {name: COLUMNS[name].merge(first[name], second[name]) for name in first.keys() & second.keys()}
    return {**first, **second, **both}
