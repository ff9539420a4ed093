"""A client that does not read its answer is let go, and one that reads slowly is not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from uvicorn.server import ServerState

from dlcli.serve.options import ServeOptions
from dlcli.serve.protocol import MIN_TAKEN, PatientProtocol
from dlcli.serve.running import Server, _config_of, open_socket

BODY = b"x" * 30_000_000
"""More than the buffers of both sockets hold."""


async def answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": BODY})


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not is_so():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("header", [b"", b"Connection: close\r\n"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_connection_of_a_client_that_reads_nothing_ends_and_the_server_too(header: bytes, loop: str) -> None:
    factory = asyncio.new_event_loop if loop == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    gate: Any = answer

    async def run() -> None:
        listener = open_socket(ServeOptions(port=0))
        server = Server(_config_of(gate, ServeOptions(timeout=0.1)), lambda: None, lambda: None)
        serving = asyncio.create_task(server.serve([listener]))
        await until(lambda: server.started)
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n")
            await until(lambda: server.server_state.total_requests == 1)
            await until(lambda: not server.server_state.connections)
            server.should_exit = True
            async with asyncio.timeout(15):
                await serving

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run())


@dataclass
class Timer:
    seconds: float
    call: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class Loop:
    """A loop whose clock stands still: `strike` calls what waits."""

    timers: list[Timer] = field(default_factory=list)

    def call_later(self, seconds: float, call: Callable[..., None], *args: Any) -> Timer:
        self.timers.append(Timer(seconds, lambda: call(*args)))
        return self.timers[-1]

    def waiting(self) -> list[float]:
        return [timer.seconds for timer in self.timers if not timer.is_cancelled]

    def strike(self) -> None:
        due, self.timers = [timer for timer in self.timers if not timer.is_cancelled], []
        for timer in due:
            timer.call()


@dataclass
class Transport:
    """A transport with this many bytes that its client has not taken."""

    size: int = 0
    is_closed: bool = False
    is_aborted: bool = False

    def get_extra_info(self, name: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return self.size

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True


@pytest.fixture
def connection() -> tuple[PatientProtocol, Transport, Loop]:
    """A connection whose request has come."""
    gate: Any = answer
    config = _config_of(gate, ServeOptions(timeout=7.0))
    config.load()
    loop, transport = Loop(), Transport()
    make: Any = config.http_protocol_class
    protocol = make(config, ServerState(), {}, loop)
    protocol.connection_made(transport)
    protocol._stop()
    return protocol, transport, loop


def test_a_client_that_takes_some_of_a_long_answer_each_time_is_waited_for(connection: Any) -> None:
    protocol, transport, loop = connection
    transport.size = 10 * MIN_TAKEN
    protocol.pause_writing()
    for _ in range(9):
        assert loop.waiting() == [7.0]
        transport.size -= MIN_TAKEN
        loop.strike()
        assert not transport.is_aborted
    transport.size -= 1
    loop.strike()
    assert transport.is_aborted


def test_what_is_read_in_time_is_not_looked_at_any_more(connection: Any) -> None:
    protocol, transport, loop = connection
    transport.size = 2 * MIN_TAKEN
    protocol.pause_writing()
    transport.size = 10
    protocol.resume_writing()
    assert loop.waiting() == []


@pytest.mark.parametrize("read", [0, 9, 10])
def test_a_connection_that_is_to_close_waits_for_its_last_bytes_no_longer(connection: Any, read: int) -> None:
    protocol, transport, loop = connection
    transport.size = 10
    protocol.transport.close()
    assert loop.waiting() == [7.0]
    transport.size -= read
    protocol.resume_writing()
    loop.strike()
    assert (transport.is_aborted, loop.waiting()) == (read < 10, [])


def test_a_connection_that_has_ended_leaves_nothing_behind(connection: Any) -> None:
    protocol, transport, loop = connection
    transport.size = 10
    protocol.transport.close()
    protocol.connection_lost(None)
    assert loop.waiting() == []
