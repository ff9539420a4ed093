"""What every request passes: who asks, how much and how slowly it may send, what is counted, logged and answered.

uvicorn -> Gate (access, bytes, time, identifier, headers, metrics, log) -> routes (app.py)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse

from dlcli.serve.access import Access, client_id, new_id
from dlcli.serve.faults import CLOSE, RefusedError
from dlcli.serve.log import AccessLog
from dlcli.serve.metrics import Metrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HELD_BODIES = 16
"""Bodies of the largest size that all requests together may hold in memory; beyond it they are asked to come again."""

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of every answer: nothing is loaded from elsewhere, and no script stands in the page."""


@dataclass
class Facts:
    """What is known of a request, for the log; the routes add what they learn.

    Attributes:
        id: the client's identifier or a new one.
        given_id: the client's; None if it gave none.
        route: the pattern of the route; "other" for paths that are none, which a client made up.
        model, version: the model that was asked.
        inputs, faults: how many inputs there were, and how many of them could not be answered.
    """

    id: str
    given_id: str | None
    begin: float = field(default_factory=time.monotonic)
    route: str = "other"
    status: int = 0
    model: str | None = None
    version: str | None = None
    inputs: int = 0
    faults: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass
class Gate:
    """The server's application around its routes.

    Attributes:
        app: the routes.
        access: who may ask what.
        max_bytes: of a request's body.
        timeout_s: for a body to arrive, and for a client to take a piece of the answer.
        metrics, log: where requests are counted and logged.
        report: is called with a line on a fault of the server.
        num_answered: requests answered so far.
        held: bytes of bodies that requests hold.
    """

    app: App
    access: Access
    max_bytes: int
    timeout_s: float
    metrics: Metrics
    log: AccessLog
    report: Callable[[str], None]
    num_answered: int = 0
    held: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # a websocket, which nobody answers
            await send({"type": "websocket.close"})
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        given = client_id(headers)
        facts = Facts(given or new_id(), given)
        scope["facts"] = facts
        body = _Body(self, receive, headers, facts)
        answer = _Answer(self, send, facts)
        try:
            try:
                self.access.check(scope["path"], headers)
                body.check_length()
                await self.app(scope, body.receive, answer.send)
            except RefusedError as refused:
                await answer.refuse(scope, body.receive, refused)
            except Exception as error:
                self.report(f"{facts.route}: {type(error).__name__} in the server")
                await answer.refuse(scope, body.receive, RefusedError(500, "a fault of the server"))
        finally:
            self.held -= body.held
            self._count(scope, facts)

    def _count(self, scope: Scope, facts: Facts) -> None:
        seconds = time.monotonic() - facts.begin
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "PUT", "DELETE") else "other"
        self.num_answered += 1
        self.metrics.requests.labels(facts.route, method, str(facts.status)).inc()
        self.metrics.request_seconds.labels(facts.route).observe(seconds)
        self.log.write(
            {
                "time": round(time.time(), 3),
                "id": facts.id,
                "method": method,
                "route": facts.route,
                "status": facts.status,
                "ms": round(seconds * 1000, 2),
                "model": facts.model,
                "version": facts.version,
                "inputs": facts.inputs,
                "faults": facts.faults,
                "bytes_in": facts.bytes_in,
                "bytes_out": facts.bytes_out,
            }
        )


class _Body:
    """A request's body as it arrives, bounded in bytes and time."""

    def __init__(self, gate: Gate, receive: Receive, headers: Mapping[str, str], facts: Facts) -> None:
        self._gate, self._receive, self._facts = gate, receive, facts
        self._length = headers.get("content-length", "")
        self._is_chunked = "transfer-encoding" in headers
        self._deadline = time.monotonic() + gate.timeout_s
        self._is_whole = False
        self.held = 0

    def check_length(self) -> None:
        """Refuse a body that says it is too large, before it is sent, or that says two things of its length.

        Raises:
            RefusedError: it does (413, 400).
        """
        if self._length and self._is_chunked:  # a proxy and this server may take different parts for its end
            raise RefusedError(400, "the request has both a length and chunks", headers=CLOSE)
        if self._length.isdecimal() and (len(self._length) > 15 or int(self._length) > self._gate.max_bytes):
            raise self._too_large()

    def _too_large(self) -> RefusedError:
        hint = f"send at most {self._gate.max_bytes:,} bytes, or start the server with a larger --max-mb"
        return RefusedError(413, "the request is too large", hint=hint, headers=CLOSE)

    async def receive(self) -> Message:
        """Return the next message of the request.

        Raises:
            RefusedError: the body is too large (413), too slow (408), or there is no memory for it (503).
        """
        if self._is_whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + self._deadline - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            raise RefusedError(408, "the request did not arrive in time", headers=CLOSE) from None
        size = len(message.get("body", b""))
        self._facts.bytes_in += size
        self.held += size
        self._gate.held += size
        self._is_whole = message["type"] != "http.request" or not message.get("more_body", False)
        if self._facts.bytes_in > self._gate.max_bytes:
            raise self._too_large()
        if self._gate.held > HELD_BODIES * self._gate.max_bytes:
            raise RefusedError(503, "too many bytes are being received", headers={"Retry-After": "1", **CLOSE})
        return message


class _Answer:
    """An answer as it is sent: with the headers that every one has, and only as slowly as the client may take it."""

    def __init__(self, gate: Gate, send: Send, facts: Facts) -> None:
        self._gate, self._send, self._facts = gate, send, facts

    async def send(self, message: Message) -> None:
        """Send a part of the answer.

        Raises:
            TimeoutError: the client does not take it.
        """
        if message["type"] == "http.response.start":
            self._facts.status = message["status"]
            more = ((b"x-request-id", self._facts.id.encode()), (b"content-security-policy", POLICY.encode()))
            message["headers"] = [*message.get("headers", ()), *HEADERS, *more]
        self._facts.bytes_out += len(message.get("body", b""))
        async with asyncio.timeout(self._gate.timeout_s):
            await self._send(message)

    async def refuse(self, scope: Scope, receive: Receive, refused: RefusedError) -> None:
        """Send a refusal, unless another answer has begun."""
        if not self._facts.status:
            await JSONResponse(refused.body(), refused.status, refused.headers)(scope, receive, self.send)
