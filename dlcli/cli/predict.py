"""`dl predict RUN|FILE INPUT...`: predictions for new inputs."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlcli.answering.answer_file import maker_of
from dlcli.answering.answers import answer, failure_of, lines_of
from dlcli.answering.opening import Opened, open_model, task_of
from dlcli.answering.shards import Share, share_of
from dlcli.cli.answer_files import answering_to_file, check_answers, local_rank_of
from dlcli.cli.films import film_progress
from dlcli.cli.inference import INFERENCE_HELP, inference_of_line, resolve_inference
from dlcli.cli.options import Argument, Compute, Values, make_command
from dlcli.cli.ready import Ready
from dlcli.cli.saving import saving
from dlcli.cli.streams import source_batches
from dlcli.cli.vectors import Write, check_vectors_file, saving_vectors
from dlcli.core.config import option
from dlcli.core.console import Console, format_figure, format_table, json_text, shorten
from dlcli.core.csv_writer import csv_writer
from dlcli.core.errors import DataError, PartialError, UsageError
from dlcli.core.files import finite

if TYPE_CHECKING:
    from dlcli.data.codec import Record, Source


MAX_SHOWN = 100
"""Characters of an input shown in a table; a record has the full text."""

INPUT_HINT = "name files, folders or globs of inputs that the model reads"


@dataclass(frozen=True)
class PredictOptions:
    """Options of `dl predict`."""

    jsonl: bool = option(False, "print one JSON record per line, each as soon as it is ready")
    csv: bool = option(False, "print comma-separated values with a header")
    batch_size: int = option(64, "inputs per batch", minimum=1, maximum=1_000_000)
    save_dir: str | None = option(None, "also save the answers in this folder, as pictures by default", metavar="DIR")
    save_as: str = option(
        "png", "what is saved: png, or for objects also coco, coco-results, labelme, voc or yolo", metavar="FORMAT"
    )
    out: str | None = option(
        None,
        "write JSON records to this .jsonl file; the same command goes on with it after it was stopped or killed",
        metavar="FILE",
    )
    shard: str | None = option(
        None,
        "answer every N-th input, from number I on (0 to N-1); --out a.jsonl then writes a-00003-of-00008.jsonl; "
        "default: RANK/WORLD_SIZE, where torchrun sets them and there is --out",
        metavar="I/N",
        is_advanced=True,
    )
    embed: str | None = option(
        None,
        "also save the vector of each input (what the last layer sees, of length 1) in this .npy or .jsonl file",
        metavar="FILE",
        is_advanced=True,
    )


def build(rest: list[str]) -> Any:
    """Return the command, with the inference options of the task that the line refers to."""
    inference = inference_of_line(rest, PredictOptions)

    def run(values: Values) -> None:
        _predict(values, inference)

    return make_command(
        "predict",
        "Predict for new inputs, with a run, a checkpoint, or an exported file or folder.",
        run,
        arguments=[
            Argument("run", "a run (as for `dl eval`), a checkpoint, or an exported file"),
            Argument("input", "files, folders, globs, or - for standard input", False, True),
        ],
        configs=[PredictOptions, Ready, *inference, Compute],
        epilog=None if inference else INFERENCE_HELP,
    )


def _predict(values: Values, inference: Sequence[type]) -> None:
    console = values.console()
    options, compute = values.resolve(PredictOptions), values.resolve(Compute)
    if sum((options.jsonl, options.csv, console.is_json)) > 1:
        raise UsageError("--json, --jsonl and --csv are mutually exclusive")
    if options.csv and options.out is not None:
        raise UsageError("--out writes JSON Lines, not CSV", hint="leave out --csv, or redirect the output to a file")
    model, inputs = values.arguments["run"], values.arguments["input"] or []
    pretrained = values.resolve(Ready).pretrained
    typed = resolve_inference(values, inference, task_of(model, pretrained))
    share = share_of(options.shard, os.environ if options.out is not None else {})
    check_vectors_file(options.embed, model, inputs)
    check_answers(options.out, share, {"--save-dir": options.save_dir, "--embed": options.embed}, model, inputs)
    opened = open_model(
        model,
        device=compute.device,
        threads=compute.threads,
        inference=typed,
        pretrained=pretrained,
        embeds=options.embed is not None,
        local_rank=local_rank_of(share),
        report=console.warn,
    )
    if options.out is not None:
        maker = maker_of(model, pretrained=pretrained, inference=typed, share=share.name)
        with answering_to_file(console, options.out, share, maker) as file:
            for sources in _batches(opened, inputs, options.batch_size, lambda found: file.unanswered(share.of(found))):
                for source, given in answer(opened, sources):
                    file.write({"input": source.name, **given.record})
            _warn_of_skipped(opened, console)
        return
    with saving_vectors(options.embed) as save_vector:
        writer, num_good, num_bad = _answer_all(console, options, opened, inputs, share, save_vector)
    if num_bad:
        raise PartialError(
            f"{num_bad} of {num_bad + num_good} inputs failed; the others were answered", details=writer.first_error
        )


def _answer_all(
    console: Console,
    options: PredictOptions,
    opened: Opened,
    inputs: Sequence[str],
    share: Share,
    save_vector: Write,
) -> tuple[Writer, int, int]:
    """Answer all inputs; return the writer, and the numbers of good and bad inputs.

    Raises:
        UsageError: there is no input.
        DataError: none could be read.
    """
    writer = Writer(console, options, opened)
    num_good = num_bad = 0
    with (
        saving(opened.codec, options.save_dir, options.save_as, inputs) as save,
        film_progress(console, opened.codec, prints=options.jsonl or options.csv) as show,
    ):
        for sources in _batches(opened, inputs, options.batch_size, share.of):
            for source, given in answer(opened, sources):
                is_bad = "error" in given.record
                num_bad, num_good = num_bad + is_bad, num_good + (not is_bad)
                record = {"input": source.name, **given.record}
                writer.write(record)
                save_vector(record, given.embedding)
                if not is_bad:
                    save(source, given)
                show(source)
    writer.close()
    _warn_of_skipped(opened, console)
    if num_good == num_bad == 0 and not inputs:
        raise UsageError("no input was given: name an INPUT", hint=INPUT_HINT)
    if num_good == 0:
        what = "no input was given" if num_bad == 0 else f"none of the {num_bad} inputs could be read"
        raise DataError(what, details=writer.first_error, hint=INPUT_HINT)
    return writer, num_good, num_bad


def _batches(
    opened: Opened, inputs: Sequence[str], size: int, chosen: Callable[[Iterable[Source]], Iterator[Source]]
) -> Iterator[list[Source]]:
    """Yield the sources that `chosen` lets pass, at most `size` at a time."""
    read_lines, finish_lines = _line_readers(opened)
    return source_batches(
        inputs,
        size,
        lambda words: chosen(opened.codec.expand(words)),
        lambda lines: chosen(read_lines(lines)),
        lambda: chosen(finish_lines()),
    )


def _warn_of_skipped(opened: Opened, console: Console) -> None:
    from dlcli.data.codec import SkipsEntries
    from dlcli.data.walking import skipped_note

    if isinstance(opened.codec, SkipsEntries):
        for note in skipped_note(opened.codec.skipped):
            console.warn(note)


def _line_readers(opened: Opened) -> tuple[Callable[[Sequence[str]], Iterable[Source]], Callable[[], Iterable[Source]]]:
    """Return what turns lines of standard input into sources, and what gives the last ones at its end.

    By default each line is read as an argument is, and empty ones are skipped.
    """
    from dlcli.data.codec import ReadsLines

    codec = opened.codec
    if isinstance(codec, ReadsLines):
        return codec.read_lines, codec.finish_lines
    return lambda lines: codec.expand(line for line in lines if line.strip()), lambda: ()


class Writer:
    """Writes records in the chosen format: JSON Lines and CSV immediately, tables and JSON documents at the end."""

    def __init__(self, console: Console, options: PredictOptions, opened: Opened) -> None:
        self._console = console
        self._options = options
        self._model = opened.name
        self._fields, self._listed = opened.codec.fields, opened.codec.listed
        self._waiting: list[Record] = []
        self._has_header = False
        self.first_error: list[str] = []

    def write(self, record: Record) -> None:
        """Write one record, or store it for the end; a NaN that was copied from the input becomes null."""
        record = finite(record)
        if "error" in record and not self.first_error:
            self.first_error = [failure_of(record)]
        if self._options.jsonl:
            self._console.answer(json_text(record))
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
            self._console.answer("\n".join(format_table(["input", *self._fields], rows)))

    def _write_csv(self, record: Record) -> None:
        columns = ["input", *self._fields, "error"]
        text = io.StringIO()
        writer = csv_writer(text)
        if not self._has_header:
            writer.writerow(columns)
            self._has_header = True
        for line in lines_of(record, self._listed):
            writer.writerow([_cell(line.get(name, "")) for name in columns])
        self._console.answer(text.getvalue().rstrip("\n"))


def _cell(value: object) -> object:
    """Return a value as a cell of a CSV, with a list or a mapping as JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value


def _table_rows(record: Record, fields: Sequence[str], listed: str | None) -> Iterator[list[object]]:
    """Yield the rows of a record in the printed table; cells that would repeat the row above are empty."""
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
        return format_figure(value)
    return "" if value is None else _cell(value)
