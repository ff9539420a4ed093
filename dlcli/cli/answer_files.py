"""`dl predict --out FILE --shard I/N`: answers in a file that a killed command goes on with, one file a process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.answering.answer_file import answer_file
from dlcli.answering.answers import failure_of
from dlcli.answering.shards import Share
from dlcli.core.console import Console
from dlcli.core.errors import DataError, DlError, PartialError, UsageError
from dlcli.core.run_dir import resolve_run

if TYPE_CHECKING:
    from dlcli.answering.answer_file import AnswerFile
    from dlcli.data.codec import Record, Source

SUFFIX = ".jsonl"

PACE_S = 30.0
"""Seconds between two lines that say how many inputs are answered."""


def check_answers(
    out: str | None, share: Share, elsewhere: Mapping[str, str | None], model: str, inputs: Sequence[str]
) -> None:
    """Check the options that say where answers go.

    Args:
        out: what `--out` says.
        share: the shard to answer.
        elsewhere: the other options that name files of answers, with their values.
        model, inputs: what the user typed for them.

    Raises:
        UsageError: they contradict each other, or the file is an input or one of the run.
    """
    if share.count > 1 or out is not None:
        for flag, value in elsewhere.items():
            if value is not None:
                raise UsageError(
                    f"{flag} knows no {'shards' if share.count > 1 else '--out'}",
                    hint="divide the inputs yourself, and give each command a place of its own",
                )
    if share.is_launched and "-" in inputs:
        raise UsageError(
            "-: processes that are started together share one standard input",
            hint="name a file, or start each one with --shard and its own input",
        )
    if out is None:
        return
    path = share.file_of(Path(out))
    if path.suffix.lower() != SUFFIX:
        raise UsageError(f"--out {out}: unknown format", hint=f"name a file that ends in {SUFFIX}")
    if path.is_dir():
        raise UsageError(f"--out {out}: is a folder", hint="name a file")
    _refuse_inputs(path, out, model, inputs)


def _refuse_inputs(path: Path, name: str, model: str, inputs: Sequence[str]) -> None:
    from dlcli.data.inputs import input_test

    try:
        is_of_model = resolve_run(model).holds(path)
    except (DlError, OSError, ValueError):  # an exported file, or nothing, which is reported when it is opened
        is_of_model = input_test([model])(path)
    # Also one that is not there yet: a folder of inputs would hold it when the command goes on.
    if is_of_model or input_test(inputs)(path) or input_test(inputs)(path.parent):
        raise UsageError(f"--out {name}: among the inputs or the files of the run", hint="name a file elsewhere")


def local_rank_of(share: Share) -> int:
    """Return the number of this process among those of its machine, which decides its accelerator."""
    text = os.environ.get("LOCAL_RANK", "0")
    return int(text) if share.is_launched and text.isdecimal() else 0


class CountedFile:
    """A file of answers, and how many there are."""

    def __init__(self, file: AnswerFile, console: Console) -> None:
        self._file = file
        self._console = console
        self._said_at = time.monotonic()
        self.num_new = self.num_new_errors = 0
        self.first_error: list[str] = []

    @property
    def num_answers(self) -> int:
        """The answers so far, those that were there before included."""
        return self._file.num_kept + self.num_new

    @property
    def num_kept(self) -> int:
        """The answers that were there before."""
        return self._file.num_kept

    @property
    def num_errors(self) -> int:
        """The answers that say that their input could not be read."""
        return self._file.num_errors + self.num_new_errors

    def unanswered(self, sources: Iterator[Source]) -> Iterator[Source]:
        """Yield the sources without an answer. See `AnswerFile.unanswered`."""
        return self._file.unanswered(sources)

    def write(self, record: Record) -> None:
        """Append an answer, and now and then say how many there are."""
        self._file.write(record)
        self.num_new += 1
        if "error" in record:
            self.num_new_errors += 1
            self.first_error = self.first_error or [failure_of(record)]
        if time.monotonic() - self._said_at >= PACE_S:
            self._said_at = time.monotonic()
            self._console.say(f"{self._file.path.name}: {self.num_answers:,} inputs answered")


@contextmanager
def answering_to_file(console: Console, out: str, share: Share, maker: Mapping[str, Any]) -> Iterator[CountedFile]:
    """Give the file of a shard in the block, and say afterwards where it is and what is in it.

    Raises:
        PartialError: some inputs failed. Of processes that are started together, none ends with an error for that
            reason, because the launcher would stop the others: there it is a warning.
        DataError: none could be read, or there is none, and this is all that was asked.
    """
    path = share.file_of(Path(out))
    console = replace(console, is_mute=False)  # each of several processes names its file
    with answer_file(path, maker) as file:
        counted = CountedFile(file, console)
        try:
            yield counted
        except BaseException:
            if counted.num_answers:
                console.say(f"{path}: {counted.num_answers:,} inputs answered so far; run the command again to go on")
            raise
        if not counted.num_answers and share.count == 1:
            raise DataError("no input was given", hint="name files, folders or globs of inputs that the model reads")
    if counted.num_kept:
        console.say(f"{path}: {counted.num_kept:,} answers were there, {counted.num_new:,} were added")
    if console.is_json:
        counts = {"answers": counted.num_answers, "errors": counted.num_errors, "kept": counted.num_kept}
        console.answer_json("predict", {"model": maker["model"], "file": str(path), "shard": share.name, **counts})
    else:
        console.answer(str(path))
    _report_errors(console, counted, share)


def _report_errors(console: Console, counted: CountedFile, share: Share) -> None:
    if not counted.num_errors:
        return
    text = f"{counted.num_errors:,} of {counted.num_answers:,} inputs failed"
    details = counted.first_error
    if share.is_launched:
        console.warn(f"{text}; the others were answered{''.join(f' ({line})' for line in details)}")
    elif counted.num_errors == counted.num_answers and share.count == 1:
        raise DataError(f"none of the {counted.num_answers:,} inputs could be read", details=details)
    else:
        raise PartialError(f"{text}; the others were answered", details=details)
