"""Discarding what image libraries write to stderr: libpng and libjpeg complain there of every odd file, in every epoch.

They are C libraries inside OpenCV, which offers no switch for it, so the file descriptor itself is diverted while an
image is decoded. That costs four system calls, as much as a tenth of decoding 32 x 32 pixels; so whoever decodes many
small images enters the context around all of them, and a process that does nothing else never leaves it.
"""

from __future__ import annotations

import os
import threading

_STDERR = 2


class Muffler:
    """A context in which nothing written to file descriptor 2 is seen; threads may enter it at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_inside = 0
        self._kept: int | None = None
        self._sink: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._num_inside += 1
            if self._num_inside == 1:
                self._divert()

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._num_inside -= 1
            if self._num_inside == 0 and self._kept is not None:
                os.dup2(self._kept, _STDERR)
                os.close(self._kept)
                self._kept = None

    def _divert(self) -> None:
        try:
            if self._sink is None:
                self._sink = os.open(os.devnull, os.O_WRONLY)
            self._kept = os.dup(_STDERR)
        except OSError:  # the process was started without stderr, or has no descriptor left: the noise is harmless
            return
        os.dup2(self._sink, _STDERR)


muffled = Muffler()
"""The one context of a process: two would restore each other's diversion."""


def muffle_worker(number: int) -> None:
    """Discard what this process writes to stderr from now on; for the workers of a loader, whose errors are returned.

    Args:
        number: of the worker.
    """
    del number
    muffled.__enter__()
