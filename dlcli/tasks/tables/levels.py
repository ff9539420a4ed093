"""The levels of predicted quantiles: how they are typed, named and stored. Torch-free."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from dlcli.core.errors import RunError

MOST = 99
"""At most so many levels, which leaves one to each per cent."""


def read_levels(text: str) -> tuple[float, ...]:
    """Return the levels that a text such as `0.1,0.5,0.9` lists.

    Raises:
        ValueError: it is not an increasing list of different numbers between 0 and 1.
    """
    example = "write increasing numbers between 0 and 1, such as 0.1,0.5,0.9"
    try:
        levels = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"{text[:60]!r} is not a list of quantiles; {example}") from None
    outside = next((level for level in levels if not 0 < level < 1), None)
    if outside is not None:
        raise ValueError(f"{outside:g} is not between 0 and 1; {example}")
    if len(levels) > MOST:
        raise ValueError(f"{len(levels)} quantiles; at most {MOST} are predicted")
    for before, after in itertools.pairwise(levels):
        if level_name(before) == level_name(after):
            raise ValueError(f"{after:g} is listed twice; {example}")
        if after < before:
            in_order = ",".join(f"{level:g}" for level in sorted(levels))
            raise ValueError(f"{after:g} follows {before:g}; write {in_order[:100]}")
    return levels


def levels_of(text: str | None) -> tuple[float, ...]:
    """Return the levels of a run's option; () for a run without."""
    return read_levels(text) if text is not None else ()


def levels_from_json(value: Any) -> tuple[float, ...]:
    """Return the levels from the JSON value stored in a run; () if there is none.

    Raises:
        RunError: the value is damaged.
    """
    if value is None:
        return ()
    try:
        return read_levels(",".join(str(float(level)) for level in value))
    except (TypeError, ValueError) as error:
        raise RunError(f"the quantiles that came with the model are damaged: {error}") from None


def level_name(level: float) -> str:
    """Return the name of a quantile in answers: `q10` for 0.1, `q2.5` for 0.025."""
    return f"q{100 * level:.6g}"


def level_names(levels: Sequence[float]) -> tuple[str, ...]:
    """Return the names of several quantiles."""
    return tuple(map(level_name, levels))


def middle(levels: Sequence[float]) -> int:
    """Return the index of the median, or of the level nearest to it; of two equally near ones, the lower."""
    return min(range(len(levels)), key=lambda index: (round(abs(levels[index] - 0.5), 9), index))
