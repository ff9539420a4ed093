"""The levels of predicted quantiles and the coverage of intervals: typed, named and stored. Torch-free."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from dlcli.core.errors import RunError, UsageError

MOST = 99
"""At most this many levels: one for each per cent."""
COVERAGES = tuple(percent / 100 for percent in range(1, 100))
"""The coverages of intervals for which factors are learned."""


def place_of(coverage: float) -> int:
    """Return the index in `COVERAGES` of the whole per cent at or above a coverage."""
    return min(len(COVERAGES), math.ceil(round(100 * coverage, 6))) - 1


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
    except (TypeError, ValueError, OverflowError) as error:
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


COVERAGE = 0.9
"""The coverage of an ensemble's interval where none is asked for."""

LEAST_CALIBRATING = 9
"""Fewer validation rows cannot tell how wide an interval of 90 % is: ceil(0.9 (n + 1)) must be at most n."""


@dataclass(frozen=True)
class Interval:
    """The interval that comes with an ensemble's predictions, as stored in a run.

    Attributes:
        coverage: the fraction of true values that it should hold.
        factors: in an export, the factor of each of `COVERAGES`, None for those that the validation part was too small
            for; () in a run, whose network has them.
    """

    coverage: float = COVERAGE
    factors: tuple[float | None, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value stored in a run or an export."""
        return {"coverage": self.coverage, "factors": list(self.factors)}

    @classmethod
    def from_json(cls, value: Any) -> Self | None:
        """Return the interval from the JSON value; None if the spread is not calibrated.

        Raises:
            RunError: the value is damaged.
        """
        if value is None:
            return None
        try:
            factors = tuple(None if factor is None else float(factor) for factor in value["factors"])
            found = cls(float(value["coverage"]), factors)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RunError(f"the interval that came with the model is damaged: {error}") from None
        are_factors = all(factor is None or 0 <= factor < math.inf for factor in factors)
        if not 0 < found.coverage < 1 or len(factors) not in (0, len(COVERAGES)) or not are_factors:
            raise RunError("the interval that came with the model is damaged: its coverage or its factors")
        return found

    def widened(self, coverage: float | None) -> float:
        """Return by what the half width must be multiplied to have another coverage, None for the interval's own.

        It is 1 for a run, whose network computes the interval that it is asked for.

        Raises:
            UsageError: the validation part was too small for it.
        """
        if coverage is None or not self.factors:
            return 1.0
        own, wanted = self.factors[place_of(self.coverage)], self.factors[place_of(coverage)]
        if own is None or wanted is None:
            raise UsageError(
                f"--coverage {coverage:g}: too few rows validated to say how wide this interval is",
                hint="ask for less, or train with a larger --val-fraction",
            )
        return wanted / own if own else 1.0


def require_interval(interval: Interval | None, coverage: float | None) -> None:
    """Check that a coverage that was asked for can be had.

    Raises:
        UsageError: the model has no interval.
    """
    if coverage is not None and interval is None:
        raise UsageError(
            "--coverage: the model has no calibrated interval",
            hint="train with --ensemble 5 and a validation part, such as --val-fraction 0.1, and without --quantiles",
        )
