"""One process that serves: uvicorn with our signals, limits and end.

SIGTERM, SIGINT   no new connections; what was taken is answered, for `grace` seconds at most; a second one ends it now
SIGHUP            all models are opened again, and the access log; a damaged file keeps the old model. Where it says
                  that the terminal was closed, the server ends
SIGUSR1           between workers: serve the plan that another one was asked to serve

While the models are opened for the first time, SIGHUP and SIGUSR1 are noted (`signals.py`), and followed afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from dlcli.core.errors import DlError, ExitCode, StoppedError, UsageError, first_line
from dlcli.core.interruption import STOPS
from dlcli.serve.access import Access
from dlcli.serve.app import build_app
from dlcli.serve.gate import Gate
from dlcli.serve.log import AccessLog
from dlcli.serve.metrics import Metrics
from dlcli.serve.models import Limits, Open, Shelf
from dlcli.serve.options import ServeOptions, resolved_token
from dlcli.serve.plan import Plan
from dlcli.serve.protocol import MAX_HEADER, protocol_of
from dlcli.serve.signals import CHANGES, FOLLOW, HANGUP, has_terminal
from dlcli.serve.state import State

KEEP_ALIVE_S = 20
BACKLOG = 1024
ENDS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Hooks:
    """What a process that serves tells whoever started it.

    Attributes:
        ready: is called once requests are answered.
        report: is called with a line on what goes wrong.
        say: is called with a line on what goes well.
        on_change, alone: see `State`.
        wanted_plan: returns the plan that another worker was asked to serve; None without other workers.
    """

    ready: Callable[[], None]
    report: Callable[[str], None]
    say: Callable[[str], None]
    on_change: Callable[[Plan, bool], None] | None = None
    wanted_plan: Callable[[], Plan] | None = None
    alone: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext


def open_socket(options: ServeOptions) -> socket.socket:
    """Return the listening socket.

    Raises:
        UsageError: there is no such address here, or the port is taken or needs more rights.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {options.host}:{options.port}: {error.strerror or error}",
            hint="name another --port, or --port 0 for a free one",
        ) from None
    return listener


def address_of(listener: socket.socket, options: ServeOptions) -> str:
    """Return the address by which people reach the server."""
    host, port = listener.getsockname()[:2]
    host = options.host if options.host == "localhost" else host
    return f"{'https' if options.cert else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


class Server(uvicorn.Server):
    """uvicorn's server, which leaves the signals to us and says when it has begun."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None], on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets)
        if self.started:
            self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what was taken, and end."""
        self._on_stop()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Do nothing: `Running` handles them."""
        yield


class Running:
    """The server of this process.

    Args:
        options: the options.
        plan: what is served at first.
        open_target: opens a model.
        hooks: whom it tells what.
        seed: of the draws among shares.

    Raises:
        DlError: a model cannot be opened, or the access log cannot be written.
    """

    def __init__(self, options: ServeOptions, plan: Plan, open_target: Open, hooks: Hooks, seed: int = 0) -> None:
        self._options = options
        self._hooks = hooks
        metrics = Metrics()
        limits = Limits(options.max_batch, options.max_wait_ms / 1000, options.queue)
        self.shelf = Shelf(open_target, limits, metrics, hooks.report, seed, hooks.wanted_plan)
        self.shelf.load(plan)
        self._log = AccessLog(options.access_log)  # not before: a start that fails leaves no file
        self.state = State(
            self.shelf,
            metrics,
            options.timeout,
            options.queue,
            options.max_megapixels,
            Path(options.model_dir) if options.model_dir is not None else None,
            hooks.on_change,
            hooks.alone,
        )
        access = Access(options.host, resolved_token(options))
        self.gate: Gate = build_app(self.state, access, self._log, int(options.max_mb * 1e6), hooks.report)
        self._server = Server(_config_of(self.gate, options), hooks.ready, self._stop_begins)
        self._stopped_by: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._had_terminal = has_terminal()
        self._noted = set[int]()

    def serve(self, listener: socket.socket, *, is_worker: bool = False, noted: Iterable[int] = ()) -> None:
        """Serve until a signal ends it.

        Args:
            listener: the listening socket.
            is_worker: another process tells this one when to end: Ctrl-C, which a terminal sends to both, is ignored,
                and a second SIGTERM does not hurry it.
            noted: signals that have asked for a change since the first model was opened.

        Raises:
            StoppedError: a signal ended it.
        """
        factory = self._server.config.get_loop_factory()
        with self._signals(is_worker), asyncio.Runner(loop_factory=factory) as runner:
            self._noted.update(noted)
            runner.run(self._serve(listener))
        self._log.close()
        if self._stopped_by is not None and not is_worker:
            raise stopped_error(self._stopped_by, self.gate.num_answered)

    async def _serve(self, listener: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        for number in sorted(self._noted):
            self._obey(number)
        await self._server.serve([listener])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0 if self._server.force_exit else self._options.grace):
                await self.shelf.close()

    def stop(self, number: int = signal.SIGTERM, *, may_hurry: bool = True) -> None:
        """Begin to end, as for a signal; from any thread."""
        if self._stopped_by is not None and may_hurry:
            self._server.force_exit = True
        self._stopped_by = self._stopped_by or number
        self._server.should_exit = True

    def _stop_begins(self) -> None:
        self.state.is_stopping = True

    def _obey(self, number: int) -> None:
        """Make the change that a signal asks for."""
        if number == FOLLOW:
            self.follow()
        else:
            self.reload()

    def reload(self) -> None:
        """Open all models and the log again, in the background."""

        async def change() -> None:
            with contextlib.suppress(UsageError):
                self._log.reopen()
            faults = await self._changed(reload=True)
            if not faults:
                self._hooks.say(f"reloaded: {', '.join(self.shelf.all())}")

        self._spawn(change)

    def follow(self) -> None:
        """Serve the plan that another worker was asked to serve, in the background."""

        async def change() -> None:
            await self._changed(reload=False)

        self._spawn(change)

    async def _changed(self, *, reload: bool) -> list[str]:
        try:
            return await self.shelf.change(lambda plan: plan, reload=reload)
        except DlError as error:
            self._hooks.report(f"nothing has changed: {first_line(error)}")
            return [str(error)]

    def _spawn(self, change: Callable[[], Coroutine[Any, Any, None]]) -> None:
        def begin() -> None:
            task = asyncio.ensure_future(change())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        if self._loop is not None:
            self._loop.call_soon_threadsafe(begin)

    @contextlib.contextmanager
    def _signals(self, is_worker: bool) -> Iterator[None]:
        """Handle signals in the block; those that the caller ignores (`nohup`) stay ignored, but for SIGHUP."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, frame: FrameType | None) -> None:
            del frame
            if number in ENDS:
                self.stop(number, may_hurry=not is_worker)
            elif number == HANGUP and self._had_terminal and not has_terminal():
                self.stop(number)
            elif self._loop is None:
                self._noted.add(number)
            else:
                self._obey(number)

        wanted = [signal.SIGTERM, *([] if is_worker else [signal.SIGINT]), *CHANGES]
        before = {number: signal.signal(number, handle) for number in wanted}
        if is_worker:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def stopped_error(number: int, num_answered: int) -> StoppedError:
    """Return the error with which a server ends that a signal has stopped."""
    code = ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.TERMINATED
    by = STOPS[signal.Signals(number)]
    return StoppedError(f"stopped by {by}; {num_answered:,} requests were answered", exit_code=code)


def _config_of(app: Gate, options: ServeOptions) -> uvicorn.Config:
    """Return uvicorn's settings."""
    return uvicorn.Config(
        app,
        loop="auto",  # uvloop where it is installed
        http=protocol_of(options.timeout),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=logging.CRITICAL,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=options.max_connections,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(options.grace)),
        h11_max_incomplete_event_size=MAX_HEADER,
        ssl_certfile=options.cert,
        ssl_keyfile=options.key,
    )
