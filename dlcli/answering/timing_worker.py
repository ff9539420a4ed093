"""A process that holds one model and times it on request: `python -m dlcli.answering.timing_worker`.

Each model has a process of its own, so that its memory and its threads are its own too. Requests and replies are lines
of JSON on standard input and output:

    -> {"model": ..., "runtime": ..., "threads": ..., "device": ..., "inference": ..., "inputs": FOLDER,
        "batches": [1, 8]}
    <- {"open_s": 0.2, "memory_mb": {"1": 61.0, "8": 75.2}}, or {"error": {"message": ..., "hint": ..., "code": 4}}
    -> {"batch": 8, "seconds": 0.4}
    <- {"ns": [1234567, ...]}

It ends when its input does.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from dlcli.answering.opening import EXPORT, Predictor, form_of, open_exported, open_model, task_of
from dlcli.answering.timing import WARM_UP_CALLS, timed_calls
from dlcli.core.config import Layer, resolve
from dlcli.core.errors import DlError, ExitCode, first_line
from dlcli.core.registry import load_object
from dlcli.data.npy import load_npz

OPENVINO = "openvino"


class Timed:
    """An opened model with its batches.

    Args:
        job: the first request.
    """

    def __init__(self, job: Mapping[str, Any]) -> None:
        begin = time.perf_counter()
        self._predictor = _open(job)
        self.open_s = time.perf_counter() - begin
        self._batches: dict[int, list[dict[str, np.ndarray]]] = {}
        self._calls = dict.fromkeys(job["batches"], 0)
        self.memory_mb: dict[int, float | None] = {}
        for size in sorted(self._calls):  # the peak never falls, so the small ones go first
            self._batches[size] = read_batches(Path(job["inputs"]), size)
            for number in range(WARM_UP_CALLS):
                self._call(size, number)
            self.memory_mb[size] = peak_memory_mb()

    def _call(self, size: int, number: int) -> None:
        batches = self._batches[size]
        self._predictor.run(batches[number % len(batches)])

    def times(self, size: int, seconds: float) -> list[int]:
        """Return the nanoseconds of calls; one before them, after the other models' turn, does not count."""
        self._call(size, self._calls[size])
        found = timed_calls(lambda number: self._call(size, number), seconds, first=self._calls[size])
        self._calls[size] += len(found)
        return found


def _open(job: Mapping[str, Any]) -> Predictor:
    text, threads = str(job["model"]), int(job["threads"])
    spec, inference = task_of(text), None
    if spec is not None and spec.inference and job["inference"]:
        inference = resolve(load_object(spec.inference), [Layer(None, dict(job["inference"]))])
    if job["runtime"] == OPENVINO:
        from dlcli.export.openvino import OpenVinoModel

        return OpenVinoModel(Path(text), threads)
    if form_of(text) == EXPORT:
        return open_exported(Path(text), threads, inference).predictor
    return open_model(
        text, device=str(job["device"]), threads=threads, inference=inference, report=lambda _: None
    ).predictor


def write_batches(folder: Path, size: int, batches: list[dict[str, np.ndarray]]) -> None:
    """Write batches of one size to the folder of a job's inputs."""
    arrays: dict[str, Any] = {
        f"{number}.{name}": array for number, batch in enumerate(batches) for name, array in batch.items()
    }
    np.savez(folder / f"{size}.npz", **arrays)


def read_batches(folder: Path, size: int) -> list[dict[str, np.ndarray]]:
    """Return the batches of one size."""
    found: dict[int, dict[str, np.ndarray]] = {}
    for key, array in (load_npz(folder / f"{size}.npz") or {}).items():
        number, _, name = key.partition(".")
        found.setdefault(int(number), {})[name] = array
    return [found[number] for number in sorted(found)]


def peak_memory_mb() -> float | None:
    """Return the largest memory of this process so far, in MB; None where the system does not say."""
    try:
        # Linux hands a new program the peak of the one that started it, as the other figure.
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        [kilobytes] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        return int(kilobytes) * 1024 / 1e6
    except (OSError, ValueError):
        pass
    if sys.platform == "darwin":
        import resource  # not on Windows

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return None


def serve(requests: IO[str], replies: IO[str]) -> None:
    """Answer requests until there are no more."""

    def reply(value: Mapping[str, Any]) -> None:
        replies.write(json.dumps(value) + "\n")
        replies.flush()

    try:
        timed = Timed(json.loads(requests.readline()))
        reply({"open_s": timed.open_s, "memory_mb": {str(size): most for size, most in timed.memory_mb.items()}})
        for line in requests:
            wanted = json.loads(line)
            reply({"ns": timed.times(int(wanted["batch"]), float(wanted["seconds"]))})
    except DlError as error:
        reply({"error": {"message": error.message, "hint": error.hint, "code": int(error.exit_code)}})
    except MemoryError:
        reply({"error": {"message": "out of memory", "hint": "lower --batch-sizes", "code": int(ExitCode.DEVICE)}})
    except Exception as error:  # whatever a runtime raises; the parent says of which model it is
        message = f"{type(error).__name__}: {first_line(error)}"
        reply({"error": {"message": message, "hint": None, "code": int(ExitCode.RUN)}})


def main() -> None:
    """Serve standard input; what libraries print goes to stderr."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, replies)


if __name__ == "__main__":
    main()
