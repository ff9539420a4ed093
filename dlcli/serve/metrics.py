"""What the server counts, in the format of Prometheus. Names of models are the only labels that are not constants."""

from __future__ import annotations

import os
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

CONTENT_TYPE = CONTENT_TYPE_LATEST

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which the library is told where several processes share their counts; it is read on import."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The counters of one process, and the page with those of all."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._is_shared = FOLDER in os.environ
        if not self._is_shared:
            ProcessCollector(registry=self._registry)
        more: dict[str, Any] = {"registry": self._registry}
        model = ("model", "version")
        self.requests = Counter("dl_requests", "Requests answered", ("route", "method", "status"), **more)
        self.request_seconds = Histogram(
            "dl_request_seconds",
            "Time from a request's header to the end of its answer",
            ("route",),
            buckets=_SECONDS,
            **more,
        )
        self.inputs = Counter("dl_inputs", "Inputs answered, by outcome (ok or error)", (*model, "outcome"), **more)
        self.batch_size = Histogram("dl_batch_size", "Inputs of a batch", model, buckets=_SIZES, **more)
        self.batch_seconds = Histogram("dl_batch_seconds", "Time to answer a batch", model, buckets=_SECONDS, **more)
        self.waiting = Gauge("dl_waiting_inputs", "Inputs that wait", model, multiprocess_mode="livesum", **more)
        self.reloads = Counter(
            "dl_reloads", "Models loaded while serving, by outcome (ok or error)", ("outcome",), **more
        )

    def page(self) -> bytes:
        """Return the page that Prometheus reads; with several workers, of all of them."""
        if not self._is_shared:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
