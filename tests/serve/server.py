"""A server in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx


@dataclass
class Process:
    """A running server.

    Attributes:
        process: its process.
        url: where it answers.
        said: the lines of its stderr so far; the reader adds to them.
    """

    process: subprocess.Popen[str]
    url: str
    said: list[str]
    reader: threading.Thread

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def send(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.process.pid, number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.send(number)
        code = self.process.wait(120)
        self.reader.join(30)
        return code

    def await_line(self, words: str, number: int = 1) -> str:
        """Return the first line of stderr that holds these words, once there are this many."""
        for _ in range(1200):
            found = [line for line in self.said if words in line]
            if len(found) >= number:
                return found[0]
            threading.Event().wait(0.1)
        raise AssertionError(f"never said {words!r}: {self.said}")


@contextmanager
def started(
    *words: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None, script: str | None = None
) -> Iterator[Process]:
    """Start `dl serve` with these words on a free port, and kill it at the end if it still runs.

    Args:
        words: the words.
        environment: variables beside those of the tests.
        cwd: the folder that it runs in.
        script: the file of this folder that stands for `dl`.
    """
    program = ["-m", "dlcli"] if script is None else [str(Path(__file__).parent / script)]
    command = [sys.executable, *program, "serve", *words, "--port", "0", "--threads", "1"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent), **(environment or {})},
        cwd=cwd,
    )
    assert process.stdout is not None and process.stderr is not None
    said: list[str] = []
    reader = threading.Thread(target=_read, args=(process.stderr, said), daemon=True)
    reader.start()
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http"), said
        yield Process(process, url, said, reader)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _read(stream: IO[str], said: list[str]) -> None:
    for line in stream:
        said.append(line)


def client(server: Process, **more: object) -> httpx.Client:
    """Return a client that waits for a busy machine."""
    return httpx.Client(base_url=server.url, timeout=120, **more)  # type: ignore[arg-type]
