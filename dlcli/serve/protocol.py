"""uvicorn's HTTP, with limits on the time that a client may take to send a header and to read an answer, and answers
sent in one piece."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_S = 10.0
"""Seconds for the header of a request, from the opening of its connection or its first byte on."""

MAX_HEADER = 16 * 1024
"""Bytes of a header at most."""

UNREAD_S = 30.0
"""Seconds in which a client that lets an answer wait must take `MIN_TAKEN` bytes, or what is left of it."""

MIN_TAKEN = 64 * 1024


class Corked:
    """A transport that sends what is written in one go, at the end of the loop's turn.

    uvicorn writes the header and the body of an answer apart, which takes two packets and wakes the client twice: a
    quarter of the server's time for a small model (cProfile of benchmarks/serve_load.py's requests).
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, on_close: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._on_close = on_close
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        """Return whatever else a transport has."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send bytes soon, with those that follow."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        """Send what was written, and close."""
        self._flush()
        self._transport.close()
        self._on_close()

    def _flush(self) -> None:
        data, self._parts = b"".join(self._parts), []
        if data:
            self._transport.write(data)


class PatientProtocol(H11Protocol):
    """A connection that ends if a request's header is not whole in time, or an answer is not read: a slow client holds
    nothing for long."""

    header_s = HEADER_S
    unread_s = UNREAD_S
    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a header."""
        super().connection_made(Corked(transport, self.loop, self._watch))  # type: ignore[arg-type]
        self._start()

    def data_received(self, data: bytes) -> None:
        """Read what has come, and go on waiting if it is a part of a header."""
        super().data_received(data)
        if self._is_in_header():
            self._start()
        else:
            self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._stop()
        self._stop_watching()

    def pause_writing(self) -> None:
        """Wait for the client, which does not take the answer as fast as it is made."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Go on writing: the client has taken most of the answer."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_watching()

    def _is_in_header(self) -> bool:
        return self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])

    def _start(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.header_s, self._give_up)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self) -> None:
        """Begin to wait for the client to read: a transport waits without end, also when it is to close."""
        left = self.transport.get_write_buffer_size()
        if left and self._unread is None:
            self._unread = self.loop.call_later(self.unread_s, self._look, left)

    def _look(self, before: int) -> None:
        """End the connection if hardly anything was read of what waited before."""
        self._unread = None
        if self.transport.get_write_buffer_size() > max(0, before - MIN_TAKEN):
            self.transport.abort()
        else:
            self._watch()

    def _stop_watching(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing() and self.conn.their_state is h11.IDLE:
            self.transport.close()


def protocol_of(unread_s: float) -> type[PatientProtocol]:
    """Return the protocol of a server, of which uvicorn makes an instance for each connection; see `UNREAD_S`."""

    class Protocol(PatientProtocol):
        pass

    Protocol.unread_s = unread_s
    return Protocol
