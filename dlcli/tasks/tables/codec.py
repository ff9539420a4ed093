"""Rows of tables to arrays and outputs to answers, shared by runs and their exports. Torch-free.

`tasks/tables/inputs.py` says how rows are named and read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, by_shape
from dlcli.data.labels import label_records, read_labels
from dlcli.data.tables.numbers import PLAIN
from dlcli.tasks.inference import ClassInference
from dlcli.tasks.tables.columns import TableColumns
from dlcli.tasks.tables.config import RegressionInference
from dlcli.tasks.tables.inputs import Row, RowReader
from dlcli.tasks.tables.levels import Interval, level_names, levels_from_json, require_interval
from dlcli.tasks.tables.values import RowValues


def _reader(columns: TableColumns) -> RowReader:
    plain = [column.name for column in columns.numeric if column.notation == PLAIN]
    return RowReader(columns.names, columns.target, columns.reading, plain)


def _encode(columns: TableColumns, source: Source) -> Encoded:
    """Return one row as the network's inputs with any notes, or the reason why it cannot be read."""
    row: Row = source.value
    if row.fault:
        return Encoded(source, None, row.fault)
    try:
        arrays, notes = columns.encode(row.cells)
    except DataError as error:
        return Encoded(source, None, error.message)
    notes = [*filter(None, [row.note]), *notes]
    return Encoded(source, arrays, kept={"note": "; ".join(notes)} if notes else {})


def _draw(columns: TableColumns, source: Source, answer: str) -> np.ndarray:
    """Return a picture of a row with its answer above it, (H, W, 3) uint8."""
    from dlcli.visualize.regression import draw_row

    row: Row = source.value
    return draw_row([(name, row.cells[name]) for name in columns.names], answer)


class RegressionCodec:
    """See `dlcli.data.codec.Codec`. The value of a source is a `Row`."""

    listed = None

    def __init__(self, assets: Mapping[str, Any], inference: RegressionInference | None = None) -> None:
        self.columns = TableColumns.from_json(assets.get("columns"))
        self._reader = _reader(self.columns)
        self.values = RowValues(self.columns, self._reader)
        self._levels = level_names(levels_from_json(assets.get("quantiles")))
        interval = Interval.from_json(assets.get("interval"))
        coverage = inference.coverage if inference is not None else None
        require_interval(interval, coverage)
        self._widened = interval.widened(coverage) if interval is not None else 1.0
        spread = () if assets.get("ensemble") == 1 else ("spread", *(("low", "high") if interval is not None else ()))
        self.fields: tuple[str, ...] = ("prediction", *(self._levels or spread), "note")

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield the rows of CSV files."""
        return self._reader.expand(inputs)

    def read_lines(self, lines: Sequence[str]) -> list[Source]:
        """Return the rows that lines of standard input complete; the first line names the columns."""
        return self._reader.read_lines(lines)

    def finish_lines(self) -> list[Source]:
        """Return the rows of lines that waited for others."""
        return self._reader.finish_lines()

    def encode(self, source: Source) -> Encoded:
        """Read one row."""
        return _encode(self.columns, source)

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Yield one batch: all rows have the run's columns."""
        return by_shape(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return each prediction in the target's units, with its quantiles, or an ensemble's spread and interval."""
        del items
        columns = {name: outputs[name] for name in ("prediction", "spread", "low", "high") if name in outputs}
        for name in {"low", "high"} & columns.keys():
            columns[name] = outputs["prediction"] + self._widened * (outputs[name] - outputs["prediction"])
        if self._levels:
            columns |= dict(zip(self._levels, outputs["quantiles"].T, strict=True))
        starts = [0.0 if name == "spread" else self.columns.offset for name in columns]
        rows = zip(*(values.astype(np.float64).tolist() for values in columns.values()), strict=True)
        return [
            Answer(
                {name: start + float(f"{value:.7g}") for name, start, value in zip(columns, starts, row, strict=True)}
            )
            for row in rows
        ]

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return a picture of the row with the prediction above it, (H, W, 3) uint8."""
        record = answer.record
        digits = 15 if self.columns.offset else 6  # six would hide all but the offset
        more = f" ± {record['spread']:.4g}" if "spread" in record else ""
        ends = [self._levels[0], self._levels[-1]] if len(self._levels) > 1 else ["low", "high"]
        if ends[0] in record:
            few = digits if self.columns.offset else 4
            more = f" ({record[ends[0]]:.{few}g} to {record[ends[1]]:.{few}g})"
        return _draw(self.columns, source, f"{self.columns.target}: {record['prediction']:.{digits}g}{more}")


class TableClassificationCodec:
    """See `dlcli.data.codec.Codec`. The value of a source is a `Row`."""

    fields = ("label", "probability", "note")
    listed = "top"

    def __init__(self, assets: Mapping[str, Any], inference: ClassInference | None = None) -> None:
        self.columns = TableColumns.from_json(assets.get("columns"))
        self.labels = read_labels(assets.get("labels"))
        self.inference = inference or ClassInference()
        self._reader = _reader(self.columns)
        self.values = RowValues(self.columns, self._reader)

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield the rows of CSV files."""
        return self._reader.expand(inputs)

    def read_lines(self, lines: Sequence[str]) -> list[Source]:
        """Return the rows that lines of standard input complete; the first line names the columns."""
        return self._reader.read_lines(lines)

    def finish_lines(self) -> list[Source]:
        """Return the rows of lines that waited for others."""
        return self._reader.finish_lines()

    def encode(self, source: Source) -> Encoded:
        """Read one row."""
        return _encode(self.columns, source)

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Yield one batch: all rows have the run's columns."""
        return by_shape(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return label, probability and the top k of each row."""
        del items
        return [Answer(record) for record in label_records(self.labels, outputs["logits"], self.inference.top_k)]

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return a picture of the row with its labels above it, (H, W, 3) uint8."""
        best = ", ".join(f"{entry['label']} {entry['probability']:.1%}" for entry in answer.record["top"][:3])
        return _draw(self.columns, source, f"{self.columns.target}: {best}")
