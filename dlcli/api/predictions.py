"""Answers to inputs: plain records, which a notebook shows as a table with pictures."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlcli.answering.answers import lines_of
from dlcli.api.drawing import data_uri, png_bytes
from dlcli.core.console import format_figure, shorten
from dlcli.core.errors import DataError, UsageError
from dlcli.data.codec import IMAGE, Answer, Codec, Record, Source, TakesValues

if TYPE_CHECKING:
    import pandas

MAX_PICTURES = 12
"""Pictures that a notebook shows; more would make its file large."""
MAX_ROWS = 50
"""Rows of the table that a notebook shows."""
MAX_SHOWN = 100
"""Characters of a value in that table."""
MAX_SIDE = 320
"""Pixels of the longer side of a picture beside others."""


@dataclass(frozen=True)
class Prediction:
    """The answer to one input.

    Attributes:
        record: the record of `dl predict`: `input` and the answer, or `error`.
        source: the input.
        answer: what the codec made of the model's outputs.
        codec: of the model.
    """

    record: Record
    source: Source
    answer: Answer
    codec: Codec

    @property
    def is_answered(self) -> bool:
        """Whether the input could be read."""
        return "error" not in self.record

    def draw(self) -> np.ndarray:
        """Return the answer as a picture, (H, W, 3) uint8 RGB: the model's own, or its input with the answer on it.

        Raises:
            DataError: the input could not be read, or is gone.
        """
        if not self.is_answered:
            raise DataError(f"{self.record['input']}: {self.record['error']}")
        return self.answer.picture if self.answer.picture is not None else self.codec.draw(self.source, self.answer)


class Predictions(list[Record]):
    """The records of `dl predict`, in the order of the inputs: a list of plain dictionaries, as `json.dumps` takes it.

    A notebook shows it as a table, with pictures where inputs or answers are pictures. It is a list, and not something
    like one, so that whatever takes records takes it.

    Args:
        items: the answers.
        codec: of the model.
    """

    def __init__(self, items: Iterable[Prediction], codec: Codec) -> None:
        self._items = tuple(items)
        self._codec = codec
        super().__init__(item.record for item in self._items)

    @property
    def failed(self) -> list[Record]:
        """The records of the inputs that could not be read, each with its `error`."""
        return [record for record in self if "error" in record]

    @property
    def embeddings(self) -> np.ndarray:
        """The vector of each input, (N, D) float32, of a model that was opened with `embed=True`; NaN for a failed one.

        Raises:
            UsageError: it was opened without.
        """
        vectors = [item.answer.embedding for item in self._items]
        found = [vector for vector in vectors if vector is not None]
        if not found:
            raise UsageError("these answers have no vectors", hint="open the model with load(..., embed=True)")
        missing = np.full_like(found[0], np.nan)
        return np.stack([missing if vector is None else vector for vector in vectors])

    def draw(self, index: int = 0) -> np.ndarray:
        """Return one answer as a picture, (H, W, 3) uint8 RGB; see `Prediction.draw`."""
        return self._items[index].draw()

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the records as JSON, as they stand in the document of `dl predict --json`."""
        return json.dumps(list(self), ensure_ascii=False, allow_nan=False, indent=indent)

    def to_rows(self) -> list[Record]:
        """Return the lines of `dl predict --csv`: one for each entry of a record's list, an object or a class."""
        columns = ["input", *self._codec.fields, "error"]
        lines = (line for record in self for line in lines_of(record, self._codec.listed))
        return [{name: line.get(name) for name in columns} for line in lines]

    def to_pandas(self) -> pandas.DataFrame:
        """Return the lines of `to_rows` as a frame of pandas.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError:
            raise UsageError("pandas is not installed", hint="`pip install pandas`, or use to_rows()") from None
        return DataFrame(self.to_rows(), columns=["input", *self._codec.fields, "error"])

    def _repr_html_(self) -> str:
        """Return a table of the answers, under pictures of the first where inputs or answers are pictures."""
        shown = [self._figure(item) for item in self._pictured()[:MAX_PICTURES]]
        figures = f'<div style="display:flex;flex-wrap:wrap;gap:8px">{"".join(shown)}</div>' if shown else ""
        columns = ["input", *self._codec.fields]
        rows = [line for record in self for line in lines_of(record, self._codec.listed)]
        body = "".join(_row(columns, row) for row in rows[:MAX_ROWS])
        head = "".join(f'<th style="text-align:left">{html.escape(name)}</th>' for name in columns)
        more = f"<p>{len(rows) - MAX_ROWS:,} more rows</p>" if len(rows) > MAX_ROWS else ""
        return f"{figures}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def _repr_png_(self) -> bytes | None:
        """Return the first answer as a picture; None if none can be drawn."""
        for item in self._items:
            picture = _drawn(item)
            if picture is not None:
                return png_bytes(picture)
        return None

    def _pictured(self) -> Sequence[Prediction]:
        kind = self._codec.values.kind if isinstance(self._codec, TakesValues) else ""
        return [item for item in self._items if item.is_answered and (kind == IMAGE or item.answer.picture is not None)]

    @staticmethod
    def _figure(item: Prediction) -> str:
        picture = _drawn(item)
        name = html.escape(shorten(str(item.record["input"]), MAX_SHOWN))
        image = f'<img alt="{name}" src="{data_uri(png_bytes(picture, MAX_SIDE))}">' if picture is not None else ""
        return f'<figure style="margin:0">{image}<figcaption>{name}</figcaption></figure>'


def _drawn(item: Prediction) -> np.ndarray | None:
    """Return an answer as a picture; None if it cannot be drawn, since its file is gone."""
    try:
        return item.draw()
    except DataError:
        return None


def _row(columns: Sequence[str], row: Record) -> str:
    if "error" in row:
        name = html.escape(shorten(str(row["input"]), MAX_SHOWN))
        return f'<tr><td>{name}</td><td colspan="{len(columns) - 1}">error: {html.escape(str(row["error"]))}</td></tr>'
    return f"<tr>{''.join(f'<td>{html.escape(_shown(row.get(name)))}</td>' for name in columns)}</tr>"


def _shown(value: object) -> str:
    text = format_figure(value) if isinstance(value, float) else "" if value is None else str(value)
    return shorten(text, MAX_SHOWN)
