"""The torch-free ends of a task: raw inputs to arrays, outputs to answers.

A run and an exported file share one codec, so they answer alike; it is built from the run's assets (the JSON files
that travel with every run and export) and from the task's inference options.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

Arrays = Mapping[str, np.ndarray]
Record = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """One raw input.

    Attributes:
        name: how its record names it: a path, `houses.csv:12`, the text itself.
        value: what `encode` reads: a path, the bytes of a file, a text, the cells of a row, a frame, a latent draw.
        film: the film that it is a frame of; the frames of one film come in order. "" for none.
    """

    name: str
    value: Any
    film: str = ""


@dataclass(frozen=True)
class Encoded:
    """One raw input, ready for the network, or the reason why it is not.

    Attributes:
        source: what was encoded.
        arrays: the model's inputs by name, one item each, without the batch axis; None where `error` is set.
        error: why this input could not be read.
        kept: what its record repeats of the input (the other fields of a JSON line).
        context: what `decode` needs to know of the input and no record shows (an image's original size).
    """

    source: Source
    arrays: Arrays | None
    error: str | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What the model says of one input.

    Attributes:
        record: JSON values by name.
        picture: (H, W, 3) uint8 RGB where the answer itself is a picture, else None.
    """

    record: Record
    picture: np.ndarray | None = None


Batches = Iterator[tuple[Sequence[int], Arrays]]
"""The model's inputs, and the indices of the items that they hold, in the order of the batch axis."""


def pad_sequences(items: Sequence[Encoded]) -> Batches:
    """Yield all items as one batch; arrays of unequal length are filled up with zeros at their end.

    Args:
        items: their arrays may differ in the size of the first axis, (L, ...); the batch has (N, max L, ...).
    """
    if items:
        yield range(len(items)), {name: _padded([_arrays(item)[name] for item in items]) for name in _arrays(items[0])}


def by_shape(items: Sequence[Encoded]) -> Batches:
    """Yield one batch for each shape of the arrays, in the order in which the shapes first appear.

    Args:
        items: their arrays may have any sizes, (...); a batch has (N, ...).
    """
    groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for index, item in enumerate(items):
        groups.setdefault(tuple(array.shape for array in _arrays(item).values()), []).append(index)
    for indices in groups.values():
        alike = [_arrays(items[index]) for index in indices]
        yield indices, {name: np.stack([arrays[name] for arrays in alike]) for name in alike[0]}


def _arrays(item: Encoded) -> Arrays:
    assert item.arrays is not None, "what could not be read is in no batch"
    return item.arrays


def _padded(arrays: Sequence[np.ndarray]) -> np.ndarray:
    if len({array.shape for array in arrays}) == 1:
        return np.stack(arrays)
    longest = max(len(array) for array in arrays)
    batch = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), dtype=arrays[0].dtype)
    for row, array in zip(batch, arrays, strict=True):
        row[: len(array)] = array
    return batch


class Codec(Protocol):
    """Turns raw inputs into arrays and outputs into answers.

    Constructed as `Codec(assets, inference)` with the mapping from asset names to their JSON values, and the dataclass
    of inference options that `TaskSpec.inference` names (None where the task has none, or for its defaults).

    Attributes:
        fields: the columns of a table or a CSV, in order: values of the record, or of an entry of `listed`.
        listed: the record's list of which each entry is a line of the table or CSV ("top", "objects", "nbest"); on
            that line an entry's values stand in for those of the record with the same names. None for no such list.
    """

    fields: tuple[str, ...]
    listed: str | None

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield the single inputs that the user's arguments mean (folders and globs opened).

        Without arguments, a codec that draws from nothing yields its draws; the others yield nothing.
        """
        ...

    def encode(self, source: Source) -> Encoded:
        """Read one input; a fault is returned in `error`, never raised."""
        ...

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Yield the items as batches of the model's inputs, each item in one of them; `pad_sequences` or `by_shape`."""
        ...

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return one answer for each item of one batch."""
        ...

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return the input as an RGB picture, (H, W, 3) uint8, with the answer drawn on it."""
        ...


@runtime_checkable
class ReadsLines(Protocol):
    """A codec to which a line of standard input means something else than the same argument: a text, a CSV's row."""

    def read_lines(self, lines: Sequence[str]) -> list[Source]:
        """Return the sources that some more lines hold."""
        ...


@runtime_checkable
class NeedsOutputs(Protocol):
    """A codec whose inference options ask for outputs that not every exported file has.

    Attributes:
        needs: flag without dashes -> the output that it asks for.
    """

    needs: Mapping[str, str]
