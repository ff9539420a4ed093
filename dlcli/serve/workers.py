"""Several processes that serve from one socket, and the one that watches over them.

    supervisor: opens the socket, starts workers, passes on signals, starts again what has died
        worker: the models in its own memory, uvicorn on the shared socket (`running.py`)

What a request with a token changes in one worker is written as the wanted plan, which the others are told to follow.
"""

from __future__ import annotations

import contextlib
import json
import logging
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any

from dlcli.core.console import Console
from dlcli.core.errors import DlError, ExitCode
from dlcli.core.files import write_json
from dlcli.core.interruption import signals_held
from dlcli.core.locks import hold_when_free
from dlcli.serve.log import own_stderr
from dlcli.serve.opener import Opener
from dlcli.serve.options import ServeOptions
from dlcli.serve.plan import Plan
from dlcli.serve.signals import CHANGES, HANGUP, has_terminal, noting

MAX_DEATHS = 5
"""Workers that may die within `DEATHS_S` before the server gives up."""
DEATHS_S = 60.0

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
PLAN, LOCK = "plan.json", "plan.lock"


@dataclass(frozen=True)
class Task:
    """What a worker does.

    Attributes:
        options: the options.
        opener: opens models.
        folder: the folder that the workers share: the plan, and their counts.
        seed: of this worker's draws.
    """

    options: ServeOptions
    opener: Opener
    folder: Path
    seed: int


class _WorkerError(DlError):
    """The error of a worker, as its lines."""

    def __init__(self, message: str, hint: str | None, details: list[str], code: int) -> None:
        super().__init__(message, hint=hint, details=details)
        self.exit_code = ExitCode(code)


def _work(task: Task, listener: socket.socket, parent: Connection) -> None:
    """Serve, in a process of its own; what happens is told to the parent."""
    with own_stderr(), noting() as noted:
        _serve(task, listener, parent, noted)


def _serve(task: Task, listener: socket.socket, parent: Connection, noted: Set[int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    os.environ[FOLDER] = str(task.folder)  # before the library is imported
    from dlcli.serve.running import Hooks, Running

    place, console = task.folder / PLAN, Console()

    def wanted() -> Plan:
        return Plan.from_json(json.loads(place.read_text(encoding="utf-8")))

    def changed(plan: Plan, reload: bool) -> None:
        write_json(place, plan.to_json())
        os.kill(os.getppid(), signal.SIGHUP if reload else signal.SIGUSR1)

    def alone() -> AbstractContextManager[None]:
        return hold_when_free(task.folder / LOCK)

    hooks = Hooks(lambda: parent.send(("ready",)), console.warn, console.say, changed, wanted, alone)
    try:
        running = Running(task.options, wanted(), task.opener, hooks, task.seed)
    except DlError as error:
        parent.send(("failed", error.message, error.hint, list(error.details), int(error.exit_code)))
        return
    threading.Thread(target=_end_with, args=(parent, running.stop), daemon=True).start()
    running.serve(listener, is_worker=True, noted=noted)
    with contextlib.suppress(OSError):
        parent.send(("ended", running.gate.num_answered))


def _end_with(parent: Connection, stop: Callable[[], None]) -> None:
    """Stop this worker once its parent has gone, however it went."""
    with contextlib.suppress(EOFError, OSError):
        parent.recv()
    stop()


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection


class Supervisor:
    """Starts workers and keeps them.

    Args:
        options: the options.
        opener: opens models.
        listener: the listening socket.
        console: where it reports.
        seed: of the draws among shares.
    """

    def __init__(
        self, options: ServeOptions, opener: Opener, listener: socket.socket, console: Console, seed: int
    ) -> None:
        self._options, self._opener, self._listener, self._console = options, opener, listener, console
        self._seed = seed
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._stopped_by: int | None = None
        self._is_hurried = False
        self._deaths: list[float] = []
        self._num_started = 0
        self._num_answered = 0

    def serve(self, plan: Plan, on_ready: Callable[[], None]) -> None:
        """Serve until a signal ends it.

        Raises:
            StoppedError: a signal ended it.
            DlError: a worker cannot open a model, or workers die again and again.
        """
        from dlcli.serve.running import stopped_error

        with tempfile.TemporaryDirectory(prefix="dl-serve-") as folder, self._signals():
            write_json(Path(folder) / PLAN, plan.to_json())
            try:
                for _ in range(self._options.workers):
                    self._start(Path(folder))
                for worker in self._workers:
                    self._await_ready(worker)
                if self._stopped_by is None:
                    on_ready()
                while self._stopped_by is None:
                    self._watch(Path(folder))
            finally:
                self._end()
        raise stopped_error(self._stopped_by, self._num_answered)

    def _start(self, folder: Path) -> _Worker:
        ours, theirs = self._context.Pipe()
        task = Task(self._options, self._opener, folder, self._seed + self._num_started)
        self._num_started += 1
        process = self._context.Process(target=_work, args=(task, self._listener, theirs), daemon=True)
        worker = _Worker(process, ours)
        with signals_held(CHANGES):  # until it is among those to which they are passed on, and it notes them itself
            process.start()
            self._workers.append(worker)
        theirs.close()
        return worker

    def _await_ready(self, worker: _Worker) -> None:
        """Wait until a worker answers requests.

        Raises:
            DlError: it cannot.
        """
        while self._stopped_by is None:
            if not worker.pipe.poll(0.2):
                continue
            message = _received(worker.pipe)
            if message is not None and message[0] == "ready":
                return
            if message is not None and message[0] == "failed":
                raise _WorkerError(*message[1:])
            raise DlError("a worker ended before it could answer", hint="start the server with --workers 1 --debug")

    def _watch(self, folder: Path) -> None:
        """Wait a moment for what may happen: a worker that has died is started again.

        Raises:
            DlError: too many have died.
        """
        for ended in wait([worker.process.sentinel for worker in self._workers], 0.2):
            if self._stopped_by is not None:
                return
            worker = next(each for each in self._workers if each.process.sentinel == ended)
            self._workers.remove(worker)
            now = time.monotonic()
            self._deaths = [*(death for death in self._deaths if now - death < DEATHS_S), now]
            if len(self._deaths) > MAX_DEATHS:
                raise DlError(
                    f"{len(self._deaths)} workers have died within a minute",
                    details=[f"the last one ended with {worker.process.exitcode}"],
                    hint="is there enough memory for --workers models?",
                )
            self._console.warn(f"a worker has died ({worker.process.exitcode}); another one is started")
            with contextlib.suppress(ImportError):
                from prometheus_client import multiprocess

                multiprocess.mark_process_dead(worker.process.pid, str(folder))  # type: ignore[no-untyped-call]
            self._start(folder)

    def _pass_on(self, number: int) -> None:
        for worker in self._workers:
            if worker.process.pid is not None and worker.process.is_alive():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.process.pid, number)

    def _end(self) -> None:
        """Let the workers answer what they have taken, and end them."""
        self._listener.close()
        self._pass_on(signal.SIGTERM)
        deadline = time.monotonic() + self._options.grace + 5.0
        for worker in self._workers:
            while worker.process.is_alive() and time.monotonic() < deadline and not self._is_hurried:
                worker.process.join(0.1)
            if worker.process.is_alive():
                worker.process.kill()
            worker.process.join()
            while worker.pipe.poll(0):
                message = _received(worker.pipe)
                if message is None:
                    break
                self._num_answered += message[1] if message[0] == "ended" else 0

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        from dlcli.serve.running import ENDS

        had_terminal = has_terminal()

        def handle(number: int, frame: FrameType | None) -> None:
            del frame
            if number in ENDS or (number == HANGUP and had_terminal and not has_terminal()):
                self._is_hurried = self._stopped_by is not None
                self._stopped_by = self._stopped_by or number
            else:
                self._pass_on(number)

        before = {number: signal.signal(number, handle) for number in (*ENDS, *CHANGES)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _received(pipe: Connection) -> tuple[Any, ...] | None:
    """Return the next message of a worker; None if it has ended without one."""
    try:
        message: tuple[Any, ...] = pipe.recv()
    except (EOFError, OSError):
        return None
    return message
