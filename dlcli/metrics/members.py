"""What the members of an ensemble reach alone, beside what they reach together: numpy only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from dlcli.core.table import Table, table_of_entries

MEMBERS = "members"
"""The output with the answers of an ensemble's M members, (N, M, ...), and the entry of its report."""


class Figure(Protocol):
    """A metric, of which only the values count here."""

    def update(self, batch: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Add a batch."""
        ...

    def merge(self, other: Any) -> None:
        """Add what another metric of the same class has accumulated."""
        ...

    def compute(self) -> dict[str, float]:
        """Return the values by name."""
        ...


class Accuracy:
    """The share of right answers, with less memory than all figures of a classification take."""

    def __init__(self) -> None:
        self._right = 0
        self._total = 0

    def update(self, batch: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Add (N, C) `logits` of (N,) `labels`."""
        self._right += int((outputs["logits"].argmax(1) == batch["labels"]).sum())
        self._total += len(batch["labels"])

    def merge(self, other: Accuracy) -> None:
        """Add the items of another."""
        self._right += other._right
        self._total += other._total

    def compute(self) -> dict[str, float]:
        """Return `accuracy`; NaN without items."""
        return {"accuracy": self._right / self._total if self._total else float("nan")}


class MemberFigures:
    """One metric for each member of an ensemble; of a single network nothing.

    Args:
        make: returns a metric; it can be pickled.
        output: the name under which the metric expects what `MEMBERS` holds of one member.
        name: the value of the metric to report.
    """

    def __init__(self, make: Callable[[], Figure], output: str, name: str) -> None:
        self._make = make
        self._output = output
        self._name = name
        self._metrics: list[Figure] = []

    def update(self, batch: Mapping[str, Any], answers: np.ndarray) -> None:
        """Add a batch with its `MEMBERS`, (N, M, ...)."""
        answers = answers.swapaxes(0, 1)
        self._metrics = self._metrics or [self._make() for _ in answers]
        for metric, own in zip(self._metrics, answers, strict=True):
            metric.update(batch, {self._output: own})

    def merge(self, other: MemberFigures) -> None:
        """Add the batches of another process's, or of another fold's, member by member."""
        if not self._metrics:
            self._metrics = other._metrics
            return
        for own, its in zip(self._metrics, other._metrics, strict=False):  # one without a batch has none
            own.merge(its)

    def added_to(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """Return a metric's report with each member's value, and their mean among the metrics, as `accuracy_member`."""
        if not self._metrics:
            return dict(report)
        values = [metric.compute()[self._name] for metric in self._metrics]
        entries = [{"member": number, self._name: value} for number, value in enumerate(values, start=1)]
        metrics = {**report["metrics"], f"{self._name}_member": float(np.mean(values))}
        return {**report, "metrics": metrics, MEMBERS: entries}


def member_tables(report: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the table of an ensemble's members; none of a single network."""
    if report.get(MEMBERS):
        yield table_of_entries(MEMBERS, report[MEMBERS])
