"""uvicorn's HTTP, with a limit on the time that a header may take, and answers sent in one piece."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_S = 10.0
"""Seconds for the header of a request, from the opening of its connection or its first byte on."""

MAX_HEADER = 16 * 1024
"""Bytes of a header at most."""


class Corked:
    """A transport that sends what is written in one go, at the end of the loop's turn.

    uvicorn writes the header and the body of an answer apart, which takes two packets and wakes the client twice: a
    quarter of the server's time for a small model (cProfile of benchmarks/serve_load.py's requests).
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
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

    def _flush(self) -> None:
        data, self._parts = b"".join(self._parts), []
        if data:
            self._transport.write(data)


class PatientProtocol(H11Protocol):
    """A connection that is closed if a request's header is not whole in time: a slow client holds nothing for long."""

    header_s = HEADER_S
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a header."""
        super().connection_made(Corked(transport, self.loop))  # type: ignore[arg-type]
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
        self._stop()
        super().connection_lost(exc)

    def _is_in_header(self) -> bool:
        return self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])

    def _start(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.header_s, self._give_up)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing() and self.conn.their_state is h11.IDLE:
            self.transport.close()
