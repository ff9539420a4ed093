"""The torch-free ends of a task: raw inputs to arrays, outputs to answers.

A run and an exported file share one codec, so they give the same answers; it is built from the run's assets (the JSON
files that are stored in every run and export) and from the task's inference options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

Arrays = Mapping[str, np.ndarray]
Record = dict[str, Any]

EMBEDDING = "embedding"
"""The output with the vector of each item, (N, D) float32 of length 1, of a model that gives it too."""

IMAGE, TEXT, ROW, DRAW = "image", "text", "row", "draw"
"""What an input of a program is (`Values.kind`): an image file, a text, a row of a table, a draw of noise."""


@dataclass(frozen=True)
class Source:
    """One raw input.

    Attributes:
        name: its name in the record: a path, `houses.csv:12`, the text itself.
        value: the input of `encode`: a path, the bytes of a file, a text, the cells of a row, a frame, a latent draw;
            a DataError if it could not be read.
        film: the film of which it is a frame; the frames of a film come in order. "" if it is none.
        time: of a frame, in seconds from the start of its film; None if it is none.
    """

    name: str
    value: Any
    film: str = ""
    time: float | None = None

    @property
    def nbytes(self) -> int:
        """How many bytes of pixels it holds in memory."""
        return int(self.value.nbytes) if isinstance(self.value, np.ndarray) else 0


@dataclass(frozen=True)
class Encoded:
    """One raw input, ready for the network, or the reason why it could not be read.

    Attributes:
        source: the input.
        arrays: the model's inputs by name, one item each, without the batch axis; None if `error` is set.
        error: why this input could not be read; None if it could.
        kept: parts of the input that are copied to its record (the other fields of a JSON line).
        context: what `decode` needs from the input but does not report (an image's original size).
    """

    source: Source
    arrays: Arrays | None
    error: str | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """The model's answer to one input.

    Attributes:
        record: JSON values by name.
        picture: (H, W, 3) uint8 RGB if the answer itself is a picture, else None.
        embedding: (D,) float32, the item's vector if the model gives one; no codec sets it.
    """

    record: Record
    picture: np.ndarray | None = None
    embedding: np.ndarray | None = None


Batches = Iterator[tuple[Sequence[int], Arrays]]
"""(indices of the items, in the order of the batch axis; the model's inputs by name) for each batch."""


def pad_sequences(items: Sequence[Encoded]) -> Batches:
    """Yield all items as one batch; arrays of unequal length are padded with zeros at the end.

    Args:
        items: their arrays may differ in the length of the first axis, (L, ...); the batch has (N, max L, ...).
    """
    if items:
        yield range(len(items)), {name: _padded([_arrays(item)[name] for item in items]) for name in _arrays(items[0])}


def by_shape(items: Sequence[Encoded]) -> Batches:
    """Yield one batch per shape of the arrays, in the order in which the shapes first appear.

    Args:
        items: their arrays may have any shapes, (...); a batch has (N, ...).
    """
    groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for index, item in enumerate(items):
        groups.setdefault(tuple(array.shape for array in _arrays(item).values()), []).append(index)
    for indices in groups.values():
        alike = [_arrays(items[index]) for index in indices]
        yield indices, {name: np.stack([arrays[name] for arrays in alike]) for name in alike[0]}


def join_outputs(parts: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Return the outputs of several runs of a model as those of one.

    Args:
        parts: arrays by name, (N, ...); where other axes differ, the shorter ones are padded with zeros at the end.
    """
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    longest = np.max([array.shape[1:] for array in arrays], axis=0)
    widths = [[(0, 0), *((0, int(gap)) for gap in longest - array.shape[1:])] for array in arrays]
    return np.concatenate([np.pad(array, width) for array, width in zip(arrays, widths, strict=True)])


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
    """Converts raw inputs to arrays and outputs to answers.

    Constructed as `Codec(assets, inference)` with the mapping from asset names to their JSON values, and the dataclass
    of inference options named by `TaskSpec.inference` (None if the task has none, or for its defaults).

    Attributes:
        fields: the columns of a table or a CSV, in order: values of the record, or of an entry of `listed`.
        listed: the record's list whose entries become lines of the table or CSV ("top", "objects", "nbest"); on such a
            line an entry's values override those of the record with the same names. None for no such list.
    """

    fields: tuple[str, ...]
    listed: str | None

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield the single inputs that the user's arguments refer to (folders and globs are expanded).

        Without arguments, a codec that generates from random draws yields its draws; the others yield nothing.
        """
        ...

    def encode(self, source: Source) -> Encoded:
        """Return one encoded input; a fault is returned in `error`, never raised."""
        ...

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Yield batches of the model's inputs, each item in exactly one; see `pad_sequences` and `by_shape`.

        A batch of one item may have any number of rows (tiles of an image); `decode` gets the outputs of all of them.
        """
        ...

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return the answer to each item of one batch."""
        ...

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return the input with the answer drawn on it, an RGB picture, (H, W, 3) uint8."""
        ...


@runtime_checkable
class ReadsLines(Protocol):
    """A codec that interprets a line of standard input differently from an argument: as a text, or a row of a CSV."""

    def read_lines(self, lines: Sequence[str]) -> list[Source]:
        """Return the sources that the next lines complete.

        Args:
            lines: lines without their line breaks, empty ones included; a byte that is not UTF-8 is a surrogate.
        """
        ...

    def finish_lines(self) -> list[Source]:
        """Return the sources of lines that waited for others (a quotation mark is open); the input has ended."""
        ...


class Values(Protocol):
    """How a codec takes inputs from a program: as JSON values, or as the content of files. Nothing of them is a path.

    Attributes:
        kind: what one input is: `IMAGE`, `TEXT`, `ROW` or `DRAW`.
    """

    kind: str

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema (2020-12) of one input."""
        ...

    def source(self, name: str, value: Any) -> Source:
        """Return one input as a source; what is wrong with the value is a fault of the source, never raised.

        Args:
            name: the name of the source, unless the input itself is its name.
            value: a JSON value that the schema describes; for an image the bytes of its file.
        """
        ...

    def sources_of_file(self, name: str, data: bytes, most: int | None = None) -> list[Source]:
        """Return the inputs in the content of a file: an image, or the texts or rows of a document.

        Args:
            name: the name of the file.
            data: its content.
            most: how many inputs are wanted, None for all: a document with more is not read much further, and more
                than `most` are returned.

        Raises:
            DataError: it names no column of texts.
        """
        ...


@runtime_checkable
class TakesValues(Protocol):
    """A codec that takes inputs from a program.

    Attributes:
        values: how it takes them.
    """

    values: Values


@runtime_checkable
class NeedsOutputs(Protocol):
    """A codec whose inference options require outputs that not every exported file has.

    Attributes:
        needs: flag without dashes -> the output that it requires.
    """

    needs: Mapping[str, str]


@runtime_checkable
class LimitsRows(Protocol):
    """A codec of files whose graph may take few items in one call.

    Attributes:
        most_rows: how many; None for any number.
    """

    @property
    def most_rows(self) -> int | None: ...


@runtime_checkable
class SkipsEntries(Protocol):
    """A codec that reports which entries of a folder `expand` could not read, such as broken links.

    Attributes:
        skipped: a line for each, with its path and the reason.
    """

    skipped: list[str]


@runtime_checkable
class ReadsFilms(Protocol):
    """A codec whose `expand` yields the frames of films.

    Attributes:
        frame_step: every how many frames.
    """

    frame_step: int


class Saver(Protocol):
    """Writes answers as files."""

    def save(self, source: Source, answer: Answer) -> None:
        """Write the answer to one input, or store what is needed to write it later.

        Raises:
            OSError: a file cannot be written.
        """
        ...

    def close(self) -> None:
        """Write what describes all answers so far; called once, also after an interruption."""
        ...


@runtime_checkable
class SavesAnswers(Protocol):
    """A codec that can save answers in other formats than pictures.

    Attributes:
        formats: their names, as the user types them.
    """

    formats: tuple[str, ...]

    def saver(self, format: str, folder: Path, is_input: Callable[[Path], bool]) -> Saver:
        """Return what writes answers into a folder.

        Args:
            format: one of `formats`.
            folder: an existing folder.
            is_input: whether a path is that of an existing input, which must not be replaced.
        """
        ...
