"""The signals that ask a server for a change, while it cannot follow them yet."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from dlcli.core.interruption import unwind

HANGUP, FOLLOW = vars(signal).get("SIGHUP"), vars(signal).get("SIGUSR1")
"""Open all models again; serve the plan that another worker was asked to serve. None on Windows."""

CHANGES = tuple(number for number in (HANGUP, FOLLOW) if number is not None)


@contextlib.contextmanager
def noting() -> Iterator[set[int]]:
    """Note in the block which signals have asked for a change: by default they would end a process that opens models.

    A closed terminal ends it all the same.
    """
    noted = set[int]()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    had_terminal = has_terminal()

    def note(number: int, frame: FrameType | None) -> None:
        if number == HANGUP and had_terminal and not has_terminal():
            unwind(number, frame)
        noted.add(number)

    before = {number: signal.signal(number, note) for number in CHANGES}
    if CHANGES:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, CHANGES)  # those who started this process may hold them back
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def has_terminal() -> bool:
    """Return whether standard input is a terminal; it is none any more once its window is closed."""
    try:
        return os.isatty(0)
    except OSError:
        return False
