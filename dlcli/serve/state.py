"""What the routes share."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
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
        is_stopping: whether no new requests are wanted.
    """

    shelf: Shelf
    metrics: Metrics
    timeout_s: float
    max_inputs: int
    max_megapixels: float
    model_dir: Path | None = None
    on_change: Callable[[Plan, bool], None] | None = None
    is_stopping: bool = False


def json_answer(value: Any, status: int = 200) -> Response:
    """Return a JSON document as an answer; a surrogate, a byte of a name that is no text, is escaped."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "backslashreplace"), status, media_type="application/json")
