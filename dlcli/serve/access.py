"""Who may ask what: the host that a request names, the site that it comes from, the token that it bears."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from dlcli.serve.faults import RefusedError
from dlcli.serve.options import is_loopback

OPEN = frozenset({"/", "/page.css", "/page.js", "/health", "/ready"})
"""What needs no token: the page, which holds nothing, and what a balancer asks."""

ADMIN = "/admin/"

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True)
class Access:
    """The rules of a server.

    Attributes:
        host: the address that it listens on.
        token: what requests must bear; None for none.
    """

    host: str
    token: str | None

    def check(self, path: str, headers: Mapping[str, str]) -> None:
        """Check a request.

        Args:
            path: its path.
            headers: its headers, with names in lower case.

        Raises:
            RefusedError: it may not be answered (401, 403, 421).
        """
        host, origin = headers.get("host", ""), headers.get("origin")
        # A page of another site can have its own name lead to this machine, and so reach a server that only it reaches.
        if self.token is None and not is_loopback(_hostname(host)):
            raise RefusedError(
                421, "the Host of the request is not this machine", hint="ask for localhost, or set --token"
            )
        if origin is not None and origin.partition("://")[2] != host:
            raise RefusedError(403, "requests of other sites' pages are not answered")
        if path in OPEN:
            return
        if path.startswith(ADMIN) and self.token is None:
            raise RefusedError(
                403, "models are loaded and unloaded with a token only", hint="start the server with --token"
            )
        if self.token is not None and not _bears(headers.get("authorization", ""), self.token):
            raise RefusedError(
                401,
                "the token is missing or wrong",
                hint="send the header Authorization: Bearer TOKEN",
                headers={"WWW-Authenticate": "Bearer"},
            )


def _bears(header: str, token: str) -> bool:
    """Return whether a header bears the token, in a time that does not tell how much of it is right."""
    scheme, _, given = header.partition(" ")
    return hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode()) and scheme.lower() == "bearer"


def _hostname(host: str) -> str:
    """Return the host of a Host header without its port and the brackets of IPv6."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]*))(?::\d+)?", host)
    return (match[1] or match[2] or "").lower() if match is not None else ""


def client_id(headers: Mapping[str, str]) -> str | None:
    """Return the identifier that a client gave its request; None without, or if it is none."""
    given = headers.get("x-request-id", "")
    return given if _ID.fullmatch(given) else None


def new_id() -> str:
    """Return an identifier for a request without one."""
    return secrets.token_hex(8)
