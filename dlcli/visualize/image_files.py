"""The pictures whose subject is an image file: their options, and how each is drawn.

Free of torch and numpy until a picture is drawn, for the help page.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcli.core.config import option
from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.table import Table, table_of_entries
from dlcli.core.wording import brief
from dlcli.visualize.subject import Drawn, NoOptions, Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

IMAGE = "IMAGE"
"""The `subject` of such a picture."""

MAX_SIDE = 31
"""Largest side of a neighbourhood or kernel: OpenCV's limit for Sobel's."""


@dataclass(frozen=True)
class FilterOptions:
    """Options of `filters`."""

    only: str | None = option(
        None, "the operations to draw, separated by commas; `list` shows them (default: all)", metavar="NAMES"
    )
    size: int = option(3, "side of a neighbourhood in pixels, odd", minimum=3, maximum=MAX_SIDE)
    kernel: str | None = option(
        None, "your own kernel: numbers separated by commas, rows by semicolons; without --only alone", metavar="ROWS"
    )


def list_filters(subject: Subject, options: FilterOptions) -> Table | None:
    """Return the table of operations if `--only list` requests it."""
    del subject
    if options.only != "list":
        return None
    from dlcli.visualize.filters import FILTERS

    entries = [{"name": name, "summary": each.summary, "takes_size": each.has_size} for name, each in FILTERS.items()]
    rows = [[entry["name"], entry["summary"], "--size" if entry["takes_size"] else ""] for entry in entries]
    return Table("filters", ["name", "summary", "option"], rows, entries)


def draw_filter_sheets(subject: Subject, options: FilterOptions) -> Drawn:
    """Yield a sheet of each image and of what the operations make of it.

    Raises:
        UsageError: an operation is unknown, the size is even, or the kernel is malformed.
        DataError: an image cannot be read.
    """
    from dlcli.visualize.filters import draw_filters

    if options.size % 2 == 0:
        raise UsageError(f"--size {options.size}: even, so that no pixel is in the middle", hint="choose an odd number")
    kernel = None if options.kernel is None else parse_kernel(options.kernel)
    names = _operations(options.only, has_kernel=kernel is not None)
    for name, stem, image in subject.images():
        subject.shows([name])
        yield f"filters-{stem}", draw_filters(image, names, size=options.size, kernel=kernel, title=name)


def draw_histogram_sheets(subject: Subject, options: NoOptions) -> Drawn:
    """Yield a picture of each image's histograms before and after equalisation."""
    del options
    from dlcli.visualize.histogram import draw_histograms, equalise, levels_table

    for name, stem, image in subject.images():
        subject.shows([name])
        versions = equalise(image)
        table = levels_table(versions)
        entries = [{"input": name, **entry} for entry in table.entries]
        subject.adds(table_of_entries("levels", entries))
        yield f"histogram-{stem}", draw_histograms(versions, title=name)


def _operations(only: str | None, *, has_kernel: bool) -> Sequence[str]:
    from dlcli.visualize.filters import FILTERS

    if only is None:
        return () if has_kernel else list(FILTERS)
    names = list(dict.fromkeys(name.strip() for name in only.split(",")))
    for name in names:
        if name not in FILTERS:
            raise UsageError(
                f"--only: no operation {brief(name)!r}", hint=f"{did_you_mean(name, FILTERS)}; --only list"
            )
    return names


def parse_kernel(text: str) -> np.ndarray:
    """Return a kernel written as `0,-1,0;-1,5,-1;0,-1,0`, (h, w) float64.

    Raises:
        UsageError: a value is not a finite number, the rows differ in length, or a side is over 31.
    """
    import numpy as np

    rows = [row.split(",") for row in text.strip().strip(";").split(";")]
    if len(rows) > MAX_SIDE or max(map(len, rows)) > MAX_SIDE:
        raise UsageError(f"--kernel: a side of more than {MAX_SIDE} numbers")
    if len({len(row) for row in rows}) > 1:
        lengths = ", ".join(str(len(row)) for row in rows)
        raise UsageError(f"--kernel: rows of {lengths} numbers", hint='write it as in "0,-1,0;-1,5,-1;0,-1,0"')
    return np.array([[_number(cell) for cell in row] for row in rows], np.float64)


def _number(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > 1e6:
        raise UsageError(f"--kernel: {brief(cell.strip())!r} is not a number", hint='as in "0,-1,0;-1,5,-1;0,-1,0"')
    return value
