"""What the routes share."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.responses import Response

from dlcli.serve.metrics import Metrics
from dlcli.serve.models import Shelf
from dlcli.serve.plan import Plan


@dataclass
class State:
    """What the routes share.

    Attributes:
        shelf: the models.
        metrics: the counters.
        timeout_s: for the answer to a request.
        max_inputs: of a request.
        max_megapixels: of an image.
        model_dir: where requests with a token may load models from; None for nowhere.
        on_change: is called with a plan that a request asked for, once it is served, and whether files were read again:
            other workers follow.
        alone: returns a context in which no other worker makes a change; entering it waits.
        is_stopping: whether no new requests are wanted.
    """

    shelf: Shelf
    metrics: Metrics
    timeout_s: float
    max_inputs: int
    max_megapixels: float
    model_dir: Path | None = None
    on_change: Callable[[Plan, bool], None] | None = None
    alone: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
    is_stopping: bool = False
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @contextlib.asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """Keep every other change by a request away in the block, from the plan that it starts from to the one it made.

        Two of them at once would both start from the same plan, and the first one would be lost.
        """
        async with self._changing:  # the lock of the workers is one of processes
            alone = self.alone()
            await asyncio.to_thread(alone.__enter__)
            try:
                yield
            finally:
                alone.__exit__(None, None, None)


def json_answer(value: Any, status: int = 200) -> Response:
    """Return a JSON document as an answer; a surrogate, a byte of a name that is no text, is escaped."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "backslashreplace"), status, media_type="application/json")
