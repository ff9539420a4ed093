"""The numbers of augmented images: drawn for many at once, and summed up in as few as are applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dlcli.data.images.operations.colour import colour_matrices
from dlcli.data.images.operations.columns import COLUMNS, Columns, merged
from dlcli.data.images.operations.geometry import NAMES, Size, fits, matrices, windows
from dlcli.data.images.operations.table import OPERATIONS, Step

Numbers = Mapping[str, np.ndarray]
"""What is done to images, by name, with one row per image; a name is there only if an operation has it.

"matrix" (N, 3, 3): how pixels move, see `geometry`. "window" (N, 4): what of the image is seen, see `geometry.windows`.
"colour" (N, 3, 3) and "lift" (N,): see `colour.colour_matrices`. "bits", "threshold", "autocontrast", "equalize",
"sharpness", "blur" and "noise", "noise_start" (N,): see `columns`. "holes" (N, K, 4) int64: top, left, bottom and right
of rectangles to fill.
"""

_PLAIN = ("bits", "threshold", "autocontrast", "equalize", "sharpness", "blur", "noise", "noise_start")
_TONES = ("brightness", "contrast", "saturation", "hue", "grey")


def draw_numbers(steps: Sequence[Step], count: int, frame: Size, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the `Numbers` of images; equal generators give equal ones.

    Args:
        steps: the operations.
        count: number of images.
        frame: height and width of the results in pixels.
        random: generator of the random numbers.
    """
    columns: Columns = {}
    for step in steps:
        columns = merged(columns, OPERATIONS[step.name].draw(random, step.strength, count))
    numbers = {name: columns[name] for name in _PLAIN if name in columns}
    if columns.keys() & set(NAMES):
        numbers["matrix"] = matrices(columns, count, frame)
    if "area" in columns:
        numbers["window"] = np.column_stack([columns["area"], columns["ratio"], columns["place"]])
    if columns.keys() & set(_TONES):
        tones = [columns.get(name, np.full(count, COLUMNS[name].neutral)) for name in _TONES]
        numbers["colour"], numbers["lift"] = colour_matrices(*tones)
    holes = [*_erased(columns, frame), *_squares(columns, frame)]
    return numbers | ({"holes": np.stack(holes, axis=1)} if holes else {})


def without_windows(numbers: Numbers, frame: Size) -> dict[str, np.ndarray]:
    """Return the numbers of images that are as large as the frame, with their windows as a part of the matrix."""
    if "window" not in numbers:
        return dict(numbers)
    matrix = fits(windows(numbers["window"], frame, frame), frame)
    rest = {name: values for name, values in numbers.items() if name != "window"}
    return rest | {"matrix": numbers["matrix"] @ matrix if "matrix" in numbers else matrix}


def row_of(numbers: Numbers, row: int) -> dict[str, np.ndarray]:
    """Return the numbers of one image, with one row."""
    return {name: values[row : row + 1] for name, values in numbers.items()}


def _erased(columns: Columns, frame: Size) -> list[np.ndarray]:
    if "erased" not in columns:
        return []
    height, width = frame
    area, stretch = columns["erased_area"] * height * width, np.exp(columns["erased_ratio"])
    rows = np.sqrt(area / stretch).round().clip(1, height) * columns["erased"]
    wide = np.sqrt(area * stretch).round().clip(1, width) * columns["erased"]
    top, left = np.floor(columns["erased_y"] * (height - rows)), np.floor(columns["erased_x"] * (width - wide))
    return [np.stack([top, left, top + rows, left + wide], axis=1).astype(np.int64)]


def _squares(columns: Columns, frame: Size) -> list[np.ndarray]:
    if "square" not in columns:
        return []
    side = np.round(columns["square_side"] * min(frame))[:, None]
    first = np.floor(columns["square"] * frame) - side // 2
    return [np.concatenate([first, first + side], axis=1).clip(0, [*frame, *frame]).astype(np.int64)]
