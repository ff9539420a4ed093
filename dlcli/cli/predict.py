"""`dl predict RUN|FILE INPUT...`: answers for new inputs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.cli.opening import INFERENCE_HELP, Opened, inference_of_line, open_model
from dlcli.cli.options import Argument, Compute, Values, make_command
from dlcli.cli.streams import input_batches
from dlcli.core.config import option
from dlcli.core.console import Console, format_table, shorten
from dlcli.core.errors import DataError, PartialError, UsageError

if TYPE_CHECKING:
    from dlcli.data.codec import Record


MAX_SHOWN = 100
"""Characters of an input that a table shows; a record has all of it."""


@dataclass(frozen=True)
class PredictOptions:
    """How answers are given."""

    jsonl: bool = option(False, "one JSON record a line, written as it is known")
    csv: bool = option(False, "comma-separated, with a header")
    top_k: int = option(1, "answers an input, best first", short="k", minimum=1)
    batch_size: int = option(64, "inputs that are computed at once", minimum=1)
    save_dir: str | None = option(None, "also draw the answers on the inputs, into this folder", metavar="DIR")


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
            Argument("input", "files, folders, globs, or - for standard input", many=True),
        ],
        configs=[PredictOptions, *inference, Compute],
        epilog=None if inference else INFERENCE_HELP,
    )


def _predict(values: Values, inference: Sequence[type]) -> None:
    console = values.console()
    options, compute = values.resolve(PredictOptions), values.resolve(Compute)
    if sum((options.jsonl, options.csv, console.is_json)) > 1:
        raise UsageError("--json, --jsonl and --csv exclude each other")
    told = next((values.resolve(options_class) for options_class in inference), None)
    model = values.arguments["run"]
    opened = open_model(model, device=compute.device, threads=compute.threads, inference=told)
    writer = _Writer(console, options, opened)
    num_good = num_bad = 0
    drawing = _Drawing(Path(options.save_dir), opened) if options.save_dir else None
    read_lines = _line_reader(opened)
    for sources in input_batches(values.arguments["input"], options.batch_size, opened.codec.expand, read_lines):
        for source, record in _answer(opened, sources, options.top_k):
            is_bad = "error" in record
            num_bad, num_good = num_bad + is_bad, num_good + (not is_bad)
            writer.write({"input": source, **record})
            if drawing is not None and not is_bad:
                drawing.save(source, record)
    writer.close()
    if num_good == 0:
        what = "no input was given" if num_bad == 0 else f"none of the {num_bad} inputs could be read"
        raise DataError(
            what, details=writer.first_error, hint="name files, folders or globs that hold what the model reads"
        )
    if num_bad:
        raise PartialError(
            f"{num_bad} of {num_bad + num_good} inputs failed; the others are answered", details=writer.first_error
        )


def _line_reader(opened: Opened) -> Callable[[Sequence[str]], list[str]] | None:
    from dlcli.data.codec import ReadsLines

    return opened.codec.read_lines if isinstance(opened.codec, ReadsLines) else None


def _answer(opened: Opened, sources: Sequence[str], top_k: int) -> Iterator[tuple[str, Record]]:
    """Yield each source with its record; what cannot be read has an `error` in place of an answer."""
    from dlcli.data.codec import stack

    encoded = [opened.codec.encode(source) for source in sources]
    good = [item.arrays for item in encoded if item.arrays is not None]
    records: Iterator[Record] = iter(())
    if good:
        records = iter(opened.codec.decode(opened.predictor.run(stack(good)), top_k))
    for item in encoded:
        answer = next(records) if item.arrays is not None else {"error": item.error}
        yield item.source, {**item.kept, **answer}


class _Writer:
    """Writes records in the form that was asked for: lines as they come, tables and documents at the end."""

    def __init__(self, console: Console, options: PredictOptions, opened: Opened) -> None:
        self._console = console
        self._options = options
        self._model = opened.name
        self._fields = opened.codec.fields
        self._kept: list[Record] = []
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
            self._kept.append(record)

    def close(self) -> None:
        """Write what was kept back."""
        if self._console.is_json:
            self._console.answer_json("predict", {"model": self._model, "records": self._kept})
        elif self._kept:
            self._console.answer(_plain("\n".join(format_table(*_as_table(self._kept, self._fields)))))

    def _write_csv(self, record: Record) -> None:
        scalars = {name: value for name, value in record.items() if not isinstance(value, (list, dict))}
        columns = ["input", *self._fields, "error"]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not self._has_header:
            writer.writerow(columns)
            self._has_header = True
        writer.writerow([scalars.get(name, "") for name in columns])
        self._console.answer(_plain(text.getvalue().rstrip("\n")))


def _plain(text: str) -> str:
    """Return the text with odd bytes of file names as escapes, so that any stream can take it."""
    return text.encode("utf-8", "backslashreplace").decode()


def _as_table(records: Sequence[Record], fields: Sequence[str]) -> tuple[list[str], list[list[object]]]:
    """Return columns and rows: the fields, and behind them the second best answers and on where they were asked for."""
    rows: list[list[object]] = []
    ranks = range(2, 1 + max((len(record.get("top", ())) for record in records), default=1))
    for record in records:
        if "error" in record:
            values: list[object] = [f"error: {record['error']}", *[""] * (len(fields) - 1 + len(ranks))]
        else:
            values = [f"{value:.4f}" if isinstance(value, float) else value for value in map(record.get, fields)]
            values += [f"{entry['label']} {entry['probability']:.4f}" for entry in record.get("top", ())[1:]]
        rows.append([shorten(str(record["input"]), MAX_SHOWN), *values])
    return ["input", *fields, *(f"{rank}." for rank in ranks)], rows


class _Drawing:
    """Saves pictures of inputs with their answers; equal names get a number, so that none is lost."""

    def __init__(self, folder: Path, opened: Opened) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._opened = opened
        self._taken: set[str] = set()

    def save(self, source: str, record: Record) -> None:
        """Draw one input's answer."""
        from dlcli.data.inputs import stem_of
        from dlcli.visualize.canvas import write_png

        stem = stem_of(source)
        name, number = stem, 2
        while name in self._taken:
            name, number = f"{stem}-{number}", number + 1
        self._taken.add(name)
        write_png(self._folder / f"{name}.png", self._opened.codec.draw(source, record))
