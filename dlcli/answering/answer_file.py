"""A file of answers, one JSON record a line, which a command that was killed goes on with where it was.

While it is written its name ends in `.partial`, so a file under its own name is complete. What its answers were made by
stands beside it in `NAME.made-by.json`: a command that would answer otherwise is refused, and so are other inputs than
those that the lines name. A line that was cut off is dropped, and its input is answered again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dlcli.answering.ready import find_run
from dlcli.core.config import to_dict
from dlcli.core.errors import DataError, RunError, UsageError
from dlcli.core.files import file_sha256, finite, write_json
from dlcli.core.locks import HeldError, hold
from dlcli.core.wording import brief

if TYPE_CHECKING:
    from dlcli.data.codec import Record, Source

SCHEMA = 1
MAX_LINE_BYTES = 1 << 28
"""Maximum bytes of one record; a longer line is treated as damaged."""
MAX_SHOWN = 100

_MAX_FACTS_BYTES = 1 << 20


def partial_of(path: Path) -> Path:
    """Return the file under which answers are written until all are there."""
    return path.with_name(f"{path.name}.partial")


def facts_of(path: Path) -> Path:
    """Return the file that says what the answers were made by."""
    return path.with_name(f"{path.name}.made-by.json")


@contextmanager
def answer_file(path: Path, made_by: Mapping[str, Any]) -> Iterator[AnswerFile]:
    """Open a file of answers in the block; afterwards it has its own name, or after an error its answers so far.

    Args:
        path: the file.
        made_by: what decides the answers, as JSON values: the weights, the options, the shard.

    Raises:
        RunError: another process writes it.
        UsageError: its answers were made by something else.
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with hold(path.with_name(f".{path.name}.lock")):
            _check_maker(path, made_by)
            file = AnswerFile(path, made_by)
            try:
                yield file
                file.finish()
            finally:
                file.close()
    except HeldError as error:
        stop = f", or stop it with `kill {error.pid}`" if error.pid is not None else ""
        raise RunError(f"{path}: is being written by {error.holder}", hint=f"wait until that has ended{stop}") from None


def maker_of(text: str, *, pretrained: str | None, inference: Any, share: str) -> dict[str, Any]:
    """Return what decides the answers of a model, as JSON values: its weights, its options, and the shard.

    Args:
        text: the run or file, or the name of a network.
        pretrained: the weights of such a network, "default" or a file.
        inference: the inference options, a dataclass; None for their defaults.
        share: the shard, "3/8".

    Raises:
        RunError: there is no such run, or the weights beside a file are missing.
    """
    from dlcli.export.model_file import is_graph_folder, is_weights_folder

    path = Path(text)
    if pretrained is not None:
        name, files = text, [Path(pretrained)] if Path(pretrained).is_file() else []
    elif is_graph_folder(path) or is_weights_folder(path):
        name, files = path.name, sorted(each for each in path.iterdir() if each.is_file())
    elif path.is_file():
        name, files = path.name, _files_of(path)
    else:
        run = find_run(text)
        name, files = run.name, [run.answering_checkpoint]
    return {
        "model": name,
        "weights": [file_sha256(file) for file in files],
        "pretrained": pretrained,
        "options": to_dict(inference) if inference is not None else {},
        "shard": share,
    }


def _files_of(path: Path) -> list[Path]:
    """Return a model's file, and those beside it in which a large ONNX file has its weights."""
    from dlcli.export.model_file import ONNX, check_external_data, kind_of

    return [path, *sorted(check_external_data(path))] if kind_of(path) == ONNX else [path]


def _check_maker(path: Path, made_by: Mapping[str, Any]) -> None:
    if not path.exists() and not partial_of(path).exists():
        return
    anew = f"name another file, or remove {path.name}* to answer anew"
    try:
        with facts_of(path).open("rb") as stream:
            before = json.loads(stream.read(_MAX_FACTS_BYTES))
        is_known = isinstance(before, dict) and before.pop("schema", None) == SCHEMA
    except (OSError, ValueError, RecursionError):
        is_known = False
    if not is_known:
        raise UsageError(f"{path}: already there, and nothing says what its answers were made by", hint=anew)
    now = json.loads(json.dumps(finite(made_by)))
    if before != now:
        other = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        details = [brief(f"{name}: {before.get(name)!r} there, {now.get(name)!r} now") for name in other[:3]]
        raise UsageError(f"{path}: its answers were made otherwise", details=details, hint=anew)


class AnswerFile:
    """The answers to a sequence of inputs, one line each in their order.

    Attributes:
        num_kept: the answers that were there before.
        num_errors: the records with an `error`, of those that were there before.
    """

    def __init__(self, path: Path, made_by: Mapping[str, Any]) -> None:
        self.path = path
        self._made_by = made_by
        self.num_kept = self.num_errors = 0
        self._end = 0
        """The byte behind the last answer that was kept."""
        self._is_appending = False
        self._place = path if path.exists() else partial_of(path)
        self._stream: IO[bytes] | None = self._place.open("rb") if self._place.exists() else None

    def unanswered(self, inputs: Iterable[Source]) -> Iterator[Source]:
        """Yield the inputs without an answer; the others are compared with the lines of the file.

        Raises:
            DataError: a line is the answer to another input.
        """
        for source in inputs:
            if self._is_appending or not self._is_answered(source):
                self._start_appending()
                yield source

    def _is_answered(self, source: Source) -> bool:
        line = self._stream.readline(MAX_LINE_BYTES) if self._stream is not None else b""
        record = _record_of(line)
        if record is None:
            return False
        if record["input"] != source.name:
            there, now = (brief(repr(name), MAX_SHOWN) for name in (record["input"], source.name))
            raise DataError(
                f"{self._place}: line {self.num_kept + 1:,} answers another input than the one in its place now",
                details=[f"there: {there}", f"now: {now}"],
                hint=f"name the same inputs as before, or remove {self.path.name}* to answer anew",
            )
        self._end += len(line)
        self.num_kept += 1
        self.num_errors += "error" in record
        return True

    def _start_appending(self) -> None:
        """Drop what is behind the last answer that was kept, and let the file have its name for unfinished ones."""
        if self._is_appending:
            return
        self._is_appending = True
        if self._stream is None:
            write_json(facts_of(self.path), {"schema": SCHEMA, **finite(self._made_by)})
        else:
            self._stream.close()
        if self._place == self.path:
            self._place = self.path.replace(partial_of(self.path))
        self._stream = self._place.open("ab")
        self._stream.truncate(self._end)

    def write(self, record: Record) -> None:
        """Append the answer to the next unanswered input; it reaches the system before this returns."""
        assert self._stream is not None and self._is_appending
        text = json.dumps(finite(record), ensure_ascii=False, allow_nan=False)
        self._stream.write(text.encode("utf-8", "backslashreplace") + b"\n")  # JSON escapes surrogates alike
        self._stream.flush()

    def finish(self) -> None:
        """Give the file its own name, since every input has its answer.

        Raises:
            DataError: it has more answers than there are inputs.
        """
        if not self._is_appending:
            if self._stream is not None and _record_of(self._stream.readline(MAX_LINE_BYTES)) is not None:
                raise DataError(
                    f"{self._place}: has more answers than there are inputs now",
                    hint=f"name the same inputs as before, or remove {self.path.name}* to answer anew",
                )
            if self._stream is not None and self._place == self.path and self.path.stat().st_size == self._end:
                return
            self._start_appending()
        assert self._stream is not None
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._place = self._place.replace(self.path)

    def close(self) -> None:
        """Close the file; one without any answer is removed, unless it is complete."""
        if self._stream is None:
            return
        self._stream.close()
        with suppress(OSError):
            if self._place != self.path and not self._place.stat().st_size:
                self._place.unlink()
                facts_of(self.path).unlink()


def _record_of(line: bytes) -> Record | None:
    """Return the record of a line, or None if the line was cut off or damaged, or there is none."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("input"), str) else None
