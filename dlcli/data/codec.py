"""The torch-free ends of a task: raw inputs to arrays, arrays to records.

A run and an exported file share one codec, so they answer alike; it is built from the run's assets (the JSON files
that travel with every run and export).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

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
        kept: what its record repeats of the input (the other fields of a JSON line).
    """

    source: str
    arrays: Arrays | None
    error: str | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)


def stack(items: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Return the items as one batch; arrays of unequal length are filled up with zeros at their end.

    Only the first axis may differ: sequences are padded, pictures have one size.
    """
    return {name: _stack([item[name] for item in items]) for name in items[0]}


def _stack(arrays: Sequence[np.ndarray]) -> np.ndarray:
    if len({array.shape for array in arrays}) == 1:
        return np.stack(arrays)
    longest = max(len(array) for array in arrays)
    batch = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), dtype=arrays[0].dtype)
    for row, array in zip(batch, arrays, strict=True):
        row[: len(array)] = array
    return batch


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


@runtime_checkable
class ReadsWords(Protocol):
    """A codec of texts."""

    def words(self, source: str) -> Sequence[str]:
        """Return the words that the network reads of an input."""
        ...


@runtime_checkable
class ReadsLines(Protocol):
    """A codec to which the lines of standard input are no sources by themselves, as those of a CSV."""

    def read_lines(self, lines: Sequence[str]) -> list[str]:
        """Return the sources that some more lines hold; those returned before are answered by now."""
        ...
