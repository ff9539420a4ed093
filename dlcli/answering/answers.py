"""Answering sources with an opened model, in order and with the faults in their places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dlcli.answering.opening import Opened, Predictor
from dlcli.core.console import shorten
from dlcli.core.files import finite
from dlcli.core.wording import brief

if TYPE_CHECKING:
    import numpy as np

    from dlcli.data.codec import Answer, Encoded, Record, Source

MAX_ENCODED_BYTES = 1 << 28
"""Bytes of encoded inputs from which on they are answered before others are encoded."""

MAX_PIXEL_BYTES = 1 << 26
"""Maximum bytes of decoded frames in one batch: 64 frames of a small film, 10 of one in full HD."""

MAX_ROWS = 16
"""Rows of a batch that are run at once where an item has several."""

MAX_NAME = 80
"""Characters of an input's name in a message: that of a text is the text itself."""


def answer(opened: Opened, sources: Sequence[Source]) -> Iterator[tuple[Source, Answer]]:
    """Yield each source with its answer, in order; the record of an unreadable source has an `error` instead.

    They are answered together, up to `MAX_ENCODED_BYTES`; the codec decides which of them form a batch.
    """
    waiting: list[Encoded] = []
    held = 0
    for source in sources:
        item = opened.codec.encode(source)
        waiting.append(item)
        held += sum(array.nbytes for array in (item.arrays or {}).values())
        if held >= MAX_ENCODED_BYTES:
            yield from _answer_together(opened, waiting)
            waiting, held = [], 0
    yield from _answer_together(opened, waiting)


def _answer_together(opened: Opened, encoded: Sequence[Encoded]) -> Iterator[tuple[Source, Answer]]:
    from dlcli.data.codec import EMBEDDING, Answer

    good = [item for item in encoded if item.arrays is not None]
    found: dict[int, Answer] = {}
    for indices, arrays in opened.codec.batches(good):
        items = [good[index] for index in indices]
        outputs = _run(opened.predictor, arrays, len(items))
        answers = opened.codec.decode(outputs, items)
        if EMBEDDING in outputs:
            pairs = zip(answers, outputs[EMBEDDING], strict=True)
            answers = [replace(each, embedding=vector) for each, vector in pairs]
        found |= zip(indices, answers, strict=True)
    in_order = iter([found[index] for index in range(len(good))])
    for item in encoded:
        given = next(in_order) if item.arrays is not None else Answer({"error": brief(str(item.error))})
        yield item.source, replace(given, record=_with_given(given.record, item.kept))


def _run(predictor: Predictor, arrays: Mapping[str, np.ndarray], num_items: int) -> Mapping[str, np.ndarray]:
    """Return a model's outputs for a batch, which is run in parts if it has many more rows than items."""
    num_rows = max((len(array) for array in arrays.values()), default=0)
    size = max(num_items, MAX_ROWS)
    if num_rows <= size:
        return predictor.run(arrays)
    from dlcli.data.codec import join_outputs

    starts = range(0, num_rows, size)
    return join_outputs(
        [predictor.run({name: array[start : start + size] for name, array in arrays.items()}) for start in starts]
    )


def _with_given(record: Record, kept: Mapping[str, Any]) -> Record:
    """Return a record with the other fields of its input before its own.

    A field of the input that is called as one of the record's, such as the true `label`, becomes `given_label`; what
    JSON cannot represent becomes null.
    """
    own = {"input", "error", *record}
    return {**{f"given_{name}" if name in own else name: value for name, value in finite(kept).items()}, **record}


def batches_of_sources(sources: Iterable[Source], size: int) -> Iterator[list[Source]]:
    """Yield sources, at most `size` at a time, and fewer where they hold decoded frames: see `MAX_PIXEL_BYTES`."""
    batch: list[Source] = []
    held = 0
    for source in sources:
        batch.append(source)
        held += source.nbytes
        if len(batch) == size or held >= MAX_PIXEL_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def failure_of(record: Record) -> str:
    """Return why an input could not be answered, behind its name: many reasons of texts, rows and bytes name none."""
    name, reason = brief(str(record["input"])), str(record["error"])
    return reason if reason.startswith(name) else f"{shorten(name, MAX_NAME)}: {reason}"


def lines_of(record: Record, listed: str | None) -> Iterator[Record]:
    """Yield the lines of a record in a table: one per entry of its list, or one if it has no list or an empty one.

    The values of an entry override those of the record with the same names.
    """
    entries = record.get(listed) if listed is not None else None
    for entry in entries or [{}]:
        yield {**record, **entry}
