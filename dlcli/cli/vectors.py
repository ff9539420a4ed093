"""The file of `dl predict --embed FILE`: the embeddings of the inputs, as a .npy file or as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dlcli.core.console import shorten
from dlcli.core.errors import DlError, RunError, UsageError
from dlcli.core.run_dir import resolve_run
from dlcli.core.wording import is_unicode

if TYPE_CHECKING:
    import numpy as np

    from dlcli.data.codec import Record

NPY, JSONL = ".npy", ".jsonl"

Write = Callable[["Record", "np.ndarray | None"], None]
"""Adds an input's record, which has its name and perhaps an error, and its vector, None with an error."""


def check_vectors_file(path: str | None, model: str, inputs: Sequence[str]) -> None:
    """Check the name of the file of embeddings.

    Args:
        path: what `--embed` says.
        model, inputs: what the user typed for them.

    Raises:
        UsageError: its suffix names no format, or it is an input or a file of the run.
    """
    if path is None:
        return
    from dlcli.data.inputs import input_test

    if Path(path).suffix.lower() not in (NPY, JSONL):
        raise UsageError(f"--embed {path}: unknown format", hint=f"name a file that ends in {NPY} or {JSONL}")
    try:
        is_of_run = resolve_run(model).holds(Path(path))
    except (DlError, OSError, ValueError):  # an exported file, or nothing, which is reported when it is opened
        is_of_run = False
    if is_of_run or input_test([model, *inputs])(Path(path)):
        raise UsageError(f"--embed {path}: an input, which is not replaced", hint="name another file")


@contextmanager
def saving_vectors(path: str | None) -> Iterator[Write]:
    """Give the function that adds an input to the file; without a file it does nothing.

    The file replaces an older one when the block succeeds; after an error, also one that the block raises because no
    input could be read, it is not written.

    Raises:
        OSError: the file cannot be written.
    """
    if path is None:
        yield lambda _record, _vector: None
        return
    from dlcli.core.files import atomic_file

    with atomic_file(Path(path)) as stream:
        if Path(path).suffix.lower() == JSONL:
            yield lambda record, vector: _write_line(stream, record, _finite(record, vector))
            return
        rows = _Rows(stream)
        yield lambda record, vector: rows.add(_finite(record, vector))
        rows.close()


def _finite(record: Record, vector: np.ndarray | None) -> np.ndarray | None:
    """Return the vector.

    Raises:
        RunError: it is not finite, as those of a run are whose weights have overflowed.
    """
    import numpy as np

    if vector is not None and not np.isfinite(vector).all():
        raise RunError(f"{shorten(str(record['input']), 100)}: its vector is not finite", hint="train the run again")
    return vector


def _write_line(stream: IO[bytes], record: Record, vector: np.ndarray | None) -> None:
    name = str(record["input"])
    # Nine digits tell every float32 from its neighbours.
    own = {"error": record["error"]} if vector is None else {"embedding": [float(f"{x:.9g}") for x in vector]}
    line = {"input": name, **own}
    stream.write(json.dumps(line, ensure_ascii=not is_unicode(name), allow_nan=False).encode() + b"\n")


class _Rows:
    """Writes a matrix row by row as a .npy file; its header, which has room for any number of rows, is written last."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._count, self._size = 0, 0
        self._write_header()

    def add(self, vector: np.ndarray | None) -> None:
        """Add a row; what has no vector gets none."""
        if vector is not None:
            self._stream.write(vector.astype("<f4").tobytes())
            self._count, self._size = self._count + 1, len(vector)

    def close(self) -> None:
        """Write the number of rows."""
        self._stream.seek(0)
        self._write_header()

    def _write_header(self) -> None:
        from numpy.lib.format import write_array_header_1_0

        shape = (self._count, self._size)
        write_array_header_1_0(self._stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
