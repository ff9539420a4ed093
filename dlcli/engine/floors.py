"""The floor of a training: what a simple model reaches in about a second, which a network has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Floor:
    """The figures of a simple model.

    Attributes:
        name: the simple model.
        metrics: its figures on the validation part, with the names of the task's metric.
        fitted: on how many training items it was fitted, in words: "4,000 of 6,213 texts".
        instead: the option by which the user trains a model that reaches it; "" where that is trained already.
    """

    name: str
    metrics: Mapping[str, float]
    fitted: str
    instead: str = ""


@runtime_checkable
class HasFloor(Protocol):
    """A task that knows a simple model for its data, fitted in about a second."""

    def quick_floor(self) -> Floor | None:
        """Return the floor, fitted on no more items than take about a second; None if the data is too small for one.

        Raises:
            DataError: the data cannot be read.
        """
        ...
