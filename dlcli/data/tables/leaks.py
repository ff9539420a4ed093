"""Columns of a table that give the target away: copies of it, indices that order it, dates of the outcome.

Each column is asked alone, on at most 20,000 rows, by cross-validation in two halves: how well the neighbours of its
value predict a number, or the class of the nearest value a class. Real tables stay below these limits: petal width
alone decides 96 % of the irises, and the best column of the housing, mileage and diabetes tables explains at most 0.75
of the variance.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcli.data.tables.form import CATEGORICAL, NUMERIC, Column, TableRows

MOST_ROWS, MOST_CELLS = 20_000, 4_000_000
"""Of larger tables every n-th row is examined, for about a second in all."""

LEAST_ROWS = 50
"""Fewer rows tell little: one column may fit them all by chance."""

MOST_EXPLAINED, MOST_ACCURATE = 0.98, 0.98
"""A column that alone explains more of the variance, or decides the class of more rows, gives the target away."""

MOST_RANKED = 0.999
"""The rank correlation of a column that orders the rows as the target does."""

LARGEST_MAJORITY = 0.9
"""Of a target with a more frequent class, a column must decide all rows: guessing that class is nearly as accurate."""

LEAST_SURE = 0.95
"""The least accuracy by the lower end of its 95 % interval (Wilson 1927)."""

_LEAST_OTHERS = 20  # rows outside the most frequent class, if a column must decide them all
_LINEAR = 1e-4  # the residual of a straight line, in standard deviations of the target: what rounding leaves
_BINS, _ROWS_OF_BIN = 64, 16
_MOST_COUNTS = 20_000_000
_DATE = re.compile(r"(^|[^a-z])(date|time|day|datetime|timestamp|on|at)($|[^a-z])|日期|时间", re.IGNORECASE)
_OUTCOME = re.compile(
    r"outcome|result|death|died|deceased|churn|cancel|clos|exit|left|default|discharg|resol|sold|terminat|repa|"
    r"死亡|离职|流失|结案|成交|结果",
    re.IGNORECASE,
)

LEAKS = "gives the target away"
"""Part of each warning, by which a training finds those that preparing has stored on the card."""


@dataclass(frozen=True)
class Leak:
    """A column that gives the target away, or whose name says that it may.

    Attributes:
        column: its name.
        found: what it does, with the figure.
        is_certain: whether the figure says so, and not the name alone.
    """

    column: str
    found: str
    is_certain: bool = True


def leak_warnings(columns: Sequence[Column], rows: TableRows, target: str, num_classes: int) -> list[str]:
    """Return a line for each column that gives the target away, with the way to leave it out."""
    return [
        f"{each.column!r} {LEAKS}: {each.found}; {advice(each.column, target)}"
        for each in find_leaks(columns, rows, target, num_classes)
        if each.is_certain
    ]


def advice(column: str, target: str) -> str:
    """Return how to leave a column out, and when that is right."""
    return f"unless it is known before {target!r} is, leave it out by --drop {column!r}"


def find_leaks(columns: Sequence[Column], rows: TableRows, target: str, num_classes: int) -> list[Leak]:
    """Return the columns that give the target away, in the order of the table.

    A table of a single column has none: it was made to predict from this column.

    Args:
        columns: the input columns.
        rows: all rows of the table.
        target: the name of the target.
        num_classes: the number of classes; 0 for a target of numbers.
    """
    picked = picked_rows(len(rows.targets), len(columns))
    if len(columns) < 2 or len(picked) < LEAST_ROWS:
        return []
    asked = _Asked(rows.targets[picked], num_classes)
    found = []
    places = {NUMERIC: iter(rows.numeric.T), CATEGORICAL: iter(rows.categories.T)}
    for column in columns:
        values = next(places[column.kind])[picked]
        leak = _judge(column, values, asked, target)
        if leak is not None:
            found.append(leak)
    return found


def picked_rows(num_rows: int, num_columns: int) -> np.ndarray:
    """Return the numbers of the rows that are examined, evenly spaced, (n,) int64."""
    most = min(MOST_ROWS, MOST_CELLS // max(1, num_columns))
    if num_rows <= most:
        return np.arange(num_rows)
    return np.linspace(0, num_rows - 1, most).astype(np.int64)


def sorted_by_target(rows: TableRows, num_classes: int) -> bool:
    """Return whether the rows are sorted by the target: harmless by itself, as parts are drawn at random."""
    targets = rows.targets
    if len(targets) < LEAST_ROWS:
        return False
    steps = np.diff(targets)
    if num_classes:
        return int((steps != 0).sum()) == len(np.unique(targets)) - 1
    return bool((steps >= 0).all() or (steps <= 0).all())


class _Asked:
    """The targets of the examined rows, and the halves of which each predicts the other."""

    def __init__(self, targets: np.ndarray, num_classes: int) -> None:
        self.targets = targets
        self.num_classes = num_classes
        self.in_first = np.random.default_rng(0).permutation(len(targets)) % 2 == 0
        self.majority = float(np.bincount(targets).max() / len(targets)) if num_classes else 0.0

    def score(self, values: np.ndarray, *, are_numbers: bool) -> float:
        """Return what a column alone achieves on rows that it has not seen: accuracy, or explained variance.

        Args:
            values: (N,) numbers, NaN if missing, or categories, -1 if missing.
            are_numbers: whether near values are alike.
        """
        if self.num_classes:
            return self._accuracy(values, are_numbers=are_numbers)
        if not are_numbers:
            return self._explained(values + 1)
        # Bins see through noise; the line between neighbours follows a curve of few rows.
        return max(self._explained(_bins(values)), self._explained(np.isnan(values).astype(np.int64), values))

    def _explained(self, groups: np.ndarray, values: np.ndarray | None = None) -> float:
        """Return the explained variance of the targets by the means of their groups in the other half.

        Known `values` are predicted by the line between their neighbours there instead, and not beyond the outermost.
        """
        targets, errors, is_asked = self.targets, np.empty(len(groups)), np.ones(len(groups), bool)
        for fitted in (self.in_first, ~self.in_first):
            counts = np.bincount(groups[fitted], minlength=int(groups.max()) + 1)
            sums = np.bincount(groups[fitted], targets[fitted], minlength=len(counts))
            means = np.where(counts > 0, sums / np.maximum(counts, 1), targets[fitted].mean())
            answers = means[groups[~fitted]]
            if values is not None and not np.isnan(values[fitted]).all():
                line = _between(values[~fitted], values[fitted], targets[fitted])
                answers = np.where(np.isnan(line), answers, line)
                low, high = np.nanmin(values[fitted]), np.nanmax(values[fitted])
                is_asked[~fitted] = ~((values[~fitted] < low) | (values[~fitted] > high))
            errors[~fitted] = targets[~fitted] - answers
        asked = targets[is_asked]
        variation = float(((asked - asked.mean()) ** 2).sum()) if len(asked) else 0.0
        return 1 - float((errors[is_asked] ** 2).sum()) / variation if variation > 0 else 0.0

    def _accuracy(self, values: np.ndarray, *, are_numbers: bool) -> float:
        """Return how often the most frequent class of the nearest value, or of the category, is right."""
        known = np.where(np.isnan(values), -np.inf, values) if are_numbers else values
        num_right = 0
        for fitted in (self.in_first, ~self.in_first):
            distinct, places = np.unique(known[fitted], return_inverse=True)
            if len(distinct) * self.num_classes > _MOST_COUNTS:
                return 0.0
            pairs = places * self.num_classes + self.targets[fitted]
            counts = np.bincount(pairs, minlength=len(distinct) * self.num_classes).reshape(-1, self.num_classes)
            asked = known[~fitted]
            nearest = _nearest(distinct, asked)
            answers = counts.argmax(1)[nearest]
            if not are_numbers:  # of a category that only this half has, nothing is known
                answers = np.where(distinct[nearest] == asked, answers, counts.sum(0).argmax())
            num_right += int((answers == self.targets[~fitted]).sum())
        return num_right / len(values)

    def is_given_away(self, score: float) -> bool:
        """Return whether a column with this score gives the target away."""
        if not self.num_classes:
            return score > MOST_EXPLAINED
        count = len(self.targets)
        if self.majority > LARGEST_MAJORITY:
            return score == 1 and (1 - self.majority) * count >= _LEAST_OTHERS
        return score > MOST_ACCURATE and _lower_bound(score, count) > LEAST_SURE

    def told(self, score: float) -> str:
        """Return a score in words."""
        if self.num_classes:
            return f"it alone decides the class of {_percent(score)} of the rows, the most frequent {self.majority:.0%}"
        return f"it alone explains {score:.4f} of the variance (R2)"


def _judge(column: Column, values: np.ndarray, asked: _Asked, target: str) -> Leak | None:
    are_numbers = column.kind == NUMERIC
    is_missing = np.isnan(values) if are_numbers else values < 0
    if is_missing.all():
        return None
    gaps = asked.score(is_missing.astype(np.int64), are_numbers=False) if is_missing.any() else 0.0
    if asked.is_given_away(gaps):
        return Leak(column.name, f"whether it is filled in is enough, {asked.told(gaps)}")
    score = asked.score(values, are_numbers=are_numbers)
    is_date = _is_date_of_outcome(column, values, target)
    if asked.is_given_away(score):
        what = _how(values, is_missing, asked, are_numbers=are_numbers, is_date=is_date)
        return Leak(column.name, f"{what}; {asked.told(score)}" if what else asked.told(score))
    relation = _relation(values, is_missing, asked) if are_numbers and not asked.num_classes else ""
    if relation:
        return Leak(column.name, relation)
    if is_date:
        guess = asked.majority if asked.num_classes else 0.0
        is_related = gaps - guess > (1 - guess) / 2
        text = "its name says that it is a date of the outcome"
        more = ", and whether it is filled in goes with the target" if is_related else ""
        return Leak(column.name, text + more, is_certain=is_related)
    return None


def _how(values: np.ndarray, is_missing: np.ndarray, asked: _Asked, *, are_numbers: bool, is_date: bool) -> str:
    """Return in which way a column is like the target; "" if it is in none of the known ones."""
    if are_numbers and _numbers_rows(values):
        return "it numbers the rows, which lie in the order of the target"
    if not asked.num_classes:
        return _relation(values, is_missing, asked) if are_numbers else ""
    distinct, places = np.unique(values[~is_missing], return_inverse=True)
    if len(distinct) <= asked.num_classes:
        pairs = np.unique(np.stack([places, asked.targets[~is_missing]]), axis=1)
        if pairs.shape[1] == len(distinct) == len(np.unique(pairs[1])):
            return "each of its values stands for one class"
    return "it is a date of the outcome by its name" if is_date else ""


def _relation(values: np.ndarray, is_missing: np.ndarray, asked: _Asked) -> str:
    """Return how the numbers of a column follow the numbers of the target; "" if they do not."""
    known, targets = values[~is_missing], asked.targets[~is_missing]
    if len(known) < LEAST_ROWS or np.ptp(known) == 0 or np.ptp(targets) == 0:
        return ""
    if (known == targets).all():
        return "it equals the target in every row"
    line = np.corrcoef(known, targets)[0, 1]
    if math.sqrt(max(0.0, 1 - line**2)) < _LINEAR:
        return f"it is the target in another unit (correlation {line:.6f})"
    ranked = float(np.corrcoef(_ranks(known), _ranks(targets))[0, 1])
    if abs(ranked) > MOST_RANKED:
        return f"it orders the rows as the target does (rank correlation {ranked:.5f})"
    return ""


def _numbers_rows(values: np.ndarray) -> bool:
    steps = np.diff(values)
    return bool((steps > 0).all() or (steps < 0).all()) and bool((values == np.floor(values)).all())


def _is_date_of_outcome(column: Column, values: np.ndarray, target: str) -> bool:
    """Return whether a column holds dates or is named as one, and its name says that they are those of the outcome."""
    name = re.sub(r"([a-z])([A-Z])", r"\1_\2", column.name).replace("_", " ")
    known = values[~np.isnan(values)] if column.kind == NUMERIC else values[:0]
    is_date = _DATE.search(name) is not None or (len(known) > 0 and _are_compact_dates(known))
    return is_date and (_OUTCOME.search(name) is not None or target.casefold() in column.name.casefold())


def _are_compact_dates(values: np.ndarray) -> bool:
    """Return whether all numbers are dates such as 20240105."""
    year, month, day = values // 10_000, values // 100 % 100, values % 100
    fits = (year >= 1900) & (year < 2100) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    return bool((fits & (values == np.floor(values))).all())


def _bins(values: np.ndarray) -> np.ndarray:
    """Return the number of each value's bin between quantiles, (N,) int64; missing values have the last."""
    known = values[~np.isnan(values)]
    count = min(_BINS, max(2, len(known) // _ROWS_OF_BIN))
    edges = np.unique(np.quantile(known, np.linspace(0, 1, count + 1)[1:-1]))
    places = np.searchsorted(edges, values, side="right")
    return np.where(np.isnan(values), len(edges) + 1, places)


def _between(asked: np.ndarray, values: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the targets at some numbers on the line through the mean targets of the known values; NaN stays NaN."""
    is_known = ~np.isnan(values)
    distinct, places = np.unique(values[is_known], return_inverse=True)
    means = np.bincount(places, targets[is_known]) / np.bincount(places)
    return np.asarray(np.interp(asked, distinct, means))


def _nearest(distinct: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return for each number the index of the nearest of some sorted ones; of two equally near, the lower."""
    above = np.searchsorted(distinct, asked).clip(0, len(distinct) - 1)
    below = (above - 1).clip(0)
    with np.errstate(invalid="ignore"):  # a missing value is -inf, and nearest to itself
        is_below = np.abs(asked - distinct[below]) <= np.abs(distinct[above] - asked)
    return np.where(is_below & (distinct[above] != asked), below, above)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks of numbers, equal ones with their mean rank."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[places])


def _lower_bound(share: float, count: int) -> float:
    """Return the lower end of the 95 % interval of a share (Wilson 1927)."""
    z2 = 1.96**2
    centre = share + z2 / (2 * count)
    return (centre - math.sqrt(z2 * (share * (1 - share) / count + z2 / (4 * count**2)))) / (1 + z2 / count)


def _percent(share: float) -> str:
    """Return a share in per cent, never rounded up to 100."""
    return f"{math.floor(1000 * share) / 10:g} %"
