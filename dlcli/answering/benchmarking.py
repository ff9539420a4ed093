"""Timing several models side by side: one process each, visited in turns. Torch-free."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import dlcli
from dlcli.answering.timing import Cell, Latency, latency_of, ratios, visits
from dlcli.core.errors import DataError, DeviceError, DlError, ExportError, ParityError, RunError, UsageError

END_S = 5
"""How long a process may take to end when its input has; then it is killed."""


@dataclass(frozen=True)
class Contender:
    """One model in one runtime.

    Attributes:
        name: for people.
        model: the path or the name that opens it.
        runtime: what computes: torch, torchscript, onnxruntime, openvino, ...
        inputs: the folder of its batches, a file for each size.
        batch_sizes: those that it takes.
        device: where a run or a checkpoint computes; exported files do on the CPU.
        inference: the inference options, a dataclass; None for their defaults.
        is_extra: whether nobody asked for this runtime, so that it is left out where it cannot open the model.
    """

    name: str
    model: str
    runtime: str
    inputs: Path
    batch_sizes: tuple[int, ...]
    device: str = "cpu"
    inference: Any = None
    is_extra: bool = False

    def job(self, threads: int) -> dict[str, Any]:
        """Return the first request to its process, as JSON values."""
        chosen = asdict(self.inference) if is_dataclass(self.inference) else None  # type: ignore[arg-type]
        own = {"model": self.model, "runtime": self.runtime, "device": self.device, "inference": chosen}
        return {**own, "threads": threads, "inputs": str(self.inputs), "batches": list(self.batch_sizes)}


@dataclass(frozen=True)
class Row:
    """What was measured.

    Attributes:
        contender, threads, batch_size: of what.
        latency: the times of the calls.
        memory_mb: the peak of its process once it had answered batches of this size and the smaller ones; None where
            the system does not say.
        open_s: how long the model took to open, the import of its runtime included.
        ratio: how many times as fast as the first contender; None without one.
    """

    contender: Contender
    threads: int
    batch_size: int
    latency: Latency
    memory_mb: float | None
    open_s: float
    ratio: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        own = {"model": self.contender.name, "path": self.contender.model, "runtime": self.contender.runtime}
        at = {"device": self.contender.device, "threads": self.threads, "batch_size": self.batch_size}
        more = {"memory_mb": self.memory_mb, "open_s": self.open_s, "ratio": self.ratio}
        return {**own, **at, **asdict(self.latency), **more}


class Worker:
    """A process that holds a contender; see `dlcli.answering.timing_worker`."""

    def __init__(self, contender: Contender, threads: int) -> None:
        self._contender = contender
        root = str(Path(dlcli.__file__).parents[1])
        paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        # The folder of the user's files is not for imports, as it is not for a process that was started as `dl`.
        environment = {**os.environ, "PYTHONPATH": paths, "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "dlcli.answering.timing_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env=environment,
        )
        try:
            reply = self._ask(contender.job(threads))
        except BaseException:
            self.close()
            raise
        self.open_s = float(reply["open_s"])
        self.memory_mb: Mapping[str, float | None] = reply["memory_mb"]

    def times(self, batch_size: int, seconds: float) -> list[int]:
        """Return the nanoseconds of the calls of one visit.

        Raises:
            DlError: the process has failed.
        """
        found: list[int] = self._ask({"batch": batch_size, "seconds": seconds})["ns"]
        return found

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise DeviceError(
                f"{self._contender.name} ({self._contender.runtime}): its process has ended",
                hint="perhaps for want of memory: lower --batch-sizes",
            )
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise _error_of(self._contender, reply["error"])
        return reply

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                assert stream is not None
                stream.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _error_of(contender: Contender, told: Mapping[str, Any]) -> DlError:
    """Return the error that a process told, of the class of its exit code."""
    known = (DataError, DeviceError, ExportError, ParityError, RunError, UsageError)
    classes: dict[int, type[DlError]] = {int(kind.exit_code): kind for kind in known}
    message = str(told["message"])
    where = "" if contender.name in message else f"{contender.name} ({contender.runtime}): "
    return classes.get(told["code"], DlError)(f"{where}{message}", hint=told["hint"])


@contextlib.contextmanager
def _working(
    contenders: Sequence[Contender], threads: Sequence[int], warn: Callable[[str], None]
) -> Iterator[dict[tuple[int, int], Worker]]:
    """Hold a process for each contender and number of threads; they open one after the other."""
    with contextlib.ExitStack() as stack:
        workers = {}
        for number, contender in enumerate(contenders):
            for count in threads:
                try:
                    workers[number, count] = worker = Worker(contender, count)
                except DlError as error:
                    if not contender.is_extra:
                        raise
                    warn(f"not measured in {contender.runtime}: {error.message}")
                    break
                stack.callback(worker.close)
        yield workers


def measure(
    contenders: Sequence[Contender],
    threads: Sequence[int],
    *,
    rounds: int,
    seconds: float,
    report: Callable[[str], None],
    warn: Callable[[str], None] | None = None,
) -> list[Row]:
    """Time contenders in turns, and return a row for each of them, number of threads and batch size.

    Args:
        contenders: at least one; the first is the one that the others are compared with.
        threads: numbers of CPU threads.
        rounds: how often each row is visited.
        seconds: of each row, over all its visits.
        report: is called with a line about what is done.
        warn: is called with why an extra contender is left out; None for `report`.

    Raises:
        DlError: a contender cannot be opened, or fails.
    """
    report(f"opening {len(contenders) * len(threads)} processes")
    with _working(contenders, threads, warn or report) as workers:
        cells = [Cell(number, count, size) for number, count in workers for size in contenders[number].batch_sizes]
        times: dict[Cell, list[list[int]]] = {cell: [] for cell in cells}
        report(f"measuring {len(cells)} rows, about {len(cells) * seconds:.0f} s or longer")
        for cell in visits(cells, rounds):
            worker = workers[cell.contender, cell.threads]
            times[cell].append(worker.times(cell.batch_size, seconds / rounds))
        found = {cell: latency_of(times[cell], cell.batch_size) for cell in cells}
        compared = ratios(found)
        return [_row(contenders, workers, cell, found[cell], compared[cell]) for cell in cells]


def _row(
    contenders: Sequence[Contender],
    workers: Mapping[tuple[int, int], Worker],
    cell: Cell,
    latency: Latency,
    ratio: float | None,
) -> Row:
    worker = workers[cell.contender, cell.threads]
    memory = worker.memory_mb.get(str(cell.batch_size))
    return Row(contenders[cell.contender], cell.threads, cell.batch_size, latency, memory, worker.open_s, ratio)
