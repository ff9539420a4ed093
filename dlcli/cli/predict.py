"""`dl predict RUN|FILE INPUT...`: answers for new inputs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.cli.opening import (
    INFERENCE_HELP,
    Opened,
    answer,
    inference_of_line,
    open_model,
    resolve_inference,
    task_of,
)
from dlcli.cli.options import Argument, Compute, Values, make_command
from dlcli.cli.streams import source_batches
from dlcli.core.config import option
from dlcli.core.console import Console, format_table, shorten
from dlcli.core.errors import DataError, PartialError, UsageError

if TYPE_CHECKING:
    from dlcli.data.codec import Answer, Record, Source


MAX_SHOWN = 100
"""Characters of an input that a table shows; a record has all of it."""

INPUT_HINT = "name files, folders or globs that hold what the model reads"


@dataclass(frozen=True)
class PredictOptions:
    """How answers are given."""

    jsonl: bool = option(False, "one JSON record a line, written as it is known")
    csv: bool = option(False, "comma-separated, with a header")
    batch_size: int = option(64, "inputs that are computed at once", minimum=1)
    save_dir: str | None = option(None, "also write the answers as pictures, into this folder", metavar="DIR")


def build(rest: list[str]) -> Any:
    """Return the command with the options of the task that the line asks."""
    inference = inference_of_line(rest)

    def run(values: Values) -> None:
        _predict(values, inference)

    return make_command(
        "predict",
        "Predict for new inputs, with a run, a checkpoint, an ONNX or a TorchScript file.",
        run,
        arguments=[
            Argument("run", "a run (as for `dl eval`), a checkpoint, or an exported file"),
            Argument("input", "files, folders, globs, or - for standard input", False, True),
        ],
        configs=[PredictOptions, *inference, Compute],
        epilog=None if inference else INFERENCE_HELP,
    )


def _predict(values: Values, inference: Sequence[type]) -> None:
    console = values.console()
    options, compute = values.resolve(PredictOptions), values.resolve(Compute)
    if sum((options.jsonl, options.csv, console.is_json)) > 1:
        raise UsageError("--json, --jsonl and --csv exclude each other")
    model, inputs = values.arguments["run"], values.arguments["input"] or []
    typed = resolve_inference(values, inference, task_of(model))
    opened = open_model(model, device=compute.device, threads=compute.threads, inference=typed)
    writer = Writer(console, options, opened)
    num_good = num_bad = 0
    drawing = Drawing(Path(options.save_dir), opened) if options.save_dir else None
    for sources in source_batches(inputs, options.batch_size, opened.codec.expand, _line_reader(opened)):
        for source, given in answer(opened, sources):
            is_bad = "error" in given.record
            num_bad, num_good = num_bad + is_bad, num_good + (not is_bad)
            writer.write({"input": source.name, **given.record})
            if drawing is not None and not is_bad:
                drawing.save(source, given)
    writer.close()
    if num_good == num_bad == 0 and not inputs:
        raise UsageError("no input was given: name an INPUT", hint=INPUT_HINT)
    if num_good == 0:
        what = "no input was given" if num_bad == 0 else f"none of the {num_bad} inputs could be read"
        raise DataError(what, details=writer.first_error, hint=INPUT_HINT)
    if num_bad:
        raise PartialError(
            f"{num_bad} of {num_bad + num_good} inputs failed; the others are answered", details=writer.first_error
        )


def _line_reader(opened: Opened) -> Callable[[Sequence[str]], Iterable[Source]]:
    """Return what makes sources of lines of standard input: those of the arguments, where the codec says no other."""
    from dlcli.data.codec import ReadsLines

    return opened.codec.read_lines if isinstance(opened.codec, ReadsLines) else opened.codec.expand


class Writer:
    """Writes records in the form that the options name: lines as they come, tables and documents at the end."""

    def __init__(self, console: Console, options: PredictOptions, opened: Opened) -> None:
        self._console = console
        self._options = options
        self._model = opened.name
        self._fields, self._listed = opened.codec.fields, opened.codec.listed
        self._waiting: list[Record] = []
        self._has_header = False
        self.first_error: list[str] = []

    def write(self, record: Record) -> None:
        """Take in one record."""
        if "error" in record and not self.first_error:
            self.first_error = [str(record["error"])[:300]]
        if self._options.jsonl:
            self._console.answer(_plain(json.dumps(record, ensure_ascii=False)))
        elif self._options.csv:
            self._write_csv(record)
        else:
            self._waiting.append(record)

    def close(self) -> None:
        """Write the document or the table."""
        if self._console.is_json:
            self._console.answer_json("predict", {"model": self._model, "records": self._waiting})
        elif self._waiting:
            rows = [row for record in self._waiting for row in _table_rows(record, self._fields, self._listed)]
            self._console.answer(_plain("\n".join(format_table(["input", *self._fields], rows))))

    def _write_csv(self, record: Record) -> None:
        columns = ["input", *self._fields, "error"]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not self._has_header:
            writer.writerow(columns)
            self._has_header = True
        for line in lines_of(record, self._listed):
            writer.writerow([_cell(line.get(name, "")) for name in columns])
        self._console.answer(_plain(text.getvalue().rstrip("\n")))


def lines_of(record: Record, listed: str | None) -> Iterator[Record]:
    """Yield a record's lines in a table: one for each entry of its list, or one where it has no list or an empty one.

    On an entry's line its values stand in for those of the record with the same names.
    """
    entries = record.get(listed) if listed is not None else None
    for entry in entries or [{}]:
        yield {**record, **entry}


def _cell(value: object) -> object:
    """Return a value as a cell of a CSV: a list or a mapping as JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value


def _table_rows(record: Record, fields: Sequence[str], listed: str | None) -> Iterator[list[object]]:
    """Yield a record's rows in the table for people; what an entry repeats of the row above it is left empty."""
    name = shorten(str(record["input"]), MAX_SHOWN)
    if "error" in record:
        yield [name, f"error: {record['error']}", *[""] * (len(fields) - 1)]
        return
    for index, line in enumerate(lines_of(record, listed)):
        if index == 0:
            yield [name, *(_shown(line.get(field)) for field in fields)]
        else:
            entry = record[listed or ""][index]
            yield ["", *(_shown(entry.get(field)) for field in fields)]


def _shown(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else _cell(value)


def _plain(text: str) -> str:
    """Return the text with odd bytes of file names as escapes, so that any stream can take it."""
    return text.encode("utf-8", "backslashreplace").decode()


class Drawing:
    """Saves the pictures that are answers, or inputs with their answers; equal names get a number, so none is lost."""

    def __init__(self, folder: Path, opened: Opened) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._opened = opened
        self._used: set[str] = set()

    def save(self, source: Source, answer: Answer) -> None:
        """Write the answer's own picture, else draw the answer on its input."""
        from dlcli.data.inputs import stem_of
        from dlcli.visualize.canvas import write_png

        stem = stem_of(source.name)
        name, number = stem, 2
        while name in self._used:
            name, number = f"{stem}-{number}", number + 1
        self._used.add(name)
        picture = answer.picture if answer.picture is not None else self._opened.codec.draw(source, answer)
        write_png(self._folder / f"{name}.png", picture)
