"""The torch-free ends of a task: raw inputs to arrays, arrays to records.

A run and an exported file share one codec, so they answer alike; it is built from the run's assets (the JSON files
that travel with every run and export).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Arrays = Mapping[str, np.ndarray]
Record = dict[str, Any]


@dataclass(frozen=True)
class Encoded:
    """One raw input, ready for the network, or the reason why it is not.

    Attributes:
        source: what the user gave (a path, a sentence), for the record.
        arrays: the model's inputs by name, one item each, without the batch axis; None where `error` is set.
        error: why this input could not be read.
    """

    source: str
    arrays: Arrays | None
    error: str | None = None


class Codec(Protocol):
    """Turns raw inputs into arrays and outputs into records.

    Constructed as `Codec(assets)` with the mapping from asset names to their JSON values.

    Attributes:
        fields: the single values of every record, in the order of a table's columns.
    """

    fields: tuple[str, ...]

    def expand(self, inputs: Iterable[str]) -> Iterator[str]:
        """Yield the single inputs that the user's arguments mean (folders and globs opened)."""
        ...

    def encode(self, source: str) -> Encoded:
        """Read one input; a fault is returned in `error`, never raised."""
        ...

    def decode(self, outputs: Arrays, top_k: int) -> list[Record]:
        """Return one record for each item of a batch of outputs."""
        ...

    def draw(self, source: str, record: Record) -> np.ndarray:
        """Return the input as an RGB picture, (H, W, 3) uint8, with the answer drawn on it."""
        ...
