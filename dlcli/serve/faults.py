"""What the server refuses, as an exception that becomes an answer."""

from __future__ import annotations

from collections.abc import Mapping


class RefusedError(Exception):
    """A request that is refused.

    Args:
        status: the status of the answer.
        message: what is wrong, one line; it repeats nothing of a client's data but names of fields.
        hint: how to mend it.
        headers: further headers of the answer.
    """

    def __init__(self, status: int, message: str, *, hint: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint
        self.headers = dict(headers or {})

    def body(self) -> dict[str, str]:
        """Return the answer's JSON."""
        return {"error": self.message, **({"fix": self.hint} if self.hint else {})}


CLOSE = {"Connection": "close"}
"""For a request of which the rest is not read."""


def queue_full(retry_after_s: int) -> RefusedError:
    """Return the refusal of what cannot wait any more."""
    return RefusedError(
        503,
        "too many inputs are waiting",
        hint="ask again later, or start the server with a larger --queue or more --workers",
        headers={"Retry-After": str(max(1, retry_after_s))},
    )
