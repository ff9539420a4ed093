"""Signals that end a command: Ctrl-C, SIGTERM, and the end of the terminal. None of them may get lost."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

STOPS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
"""The signals that end a command, with their names for people."""

if hasattr(signal, "SIGHUP"):  # not on Windows
    STOPS[signal.SIGHUP] = "SIGHUP (the terminal was closed)"

REPEAT_S = 0.3
"""Time after which a signal is repeated whose exception has vanished."""


class Terminated(BaseException):
    """SIGTERM or SIGHUP outside training; the training loop has its own handler (`engine/observers/signals.py`)."""


class _Repetition:
    """Whether signals are repeated, the timer that repeats the last one, and whether it has just done so."""

    is_wanted = False
    timer: threading.Timer | None = None
    is_due = False


@contextlib.contextmanager
def signals_held(numbers: Iterable[int]) -> Iterator[None]:
    """Block signals in this thread, so that processes started in the block have them blocked from the start."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def catch_signals() -> None:
    """Let each signal of `STOPS` raise an exception in the main thread, unless the caller ignores it (`nohup`)."""
    for number in STOPS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, unwind)
    _Repetition.is_wanted = True
    report = sys.unraisablehook

    def hide_ours(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, (KeyboardInterrupt, Terminated)):  # those are repeated
            report(unraisable)

    sys.unraisablehook = hide_ours


def unwind(number: int, frame: FrameType | None) -> None:
    """Handle a signal by an exception, as Python does for Ctrl-C, so that half-written files are removed.

    The interpreter swallows an exception that is raised within a destructor, for instance while a loader's processes
    are shut down. So the signal is repeated until its exception is on its way through the stack, and none is raised
    where it would be swallowed.

    Raises:
        KeyboardInterrupt: it was Ctrl-C.
        Terminated: it was another signal.
    """
    is_repeated, _Repetition.is_due = _Repetition.is_due, False
    _repeat(number)
    if (is_repeated and _is_unwinding()) or _is_in_destructor(frame):
        return
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated


def forget_signals() -> None:
    """Stop repeating the last signal, once its exception has reached the top."""
    if _Repetition.timer is not None:
        _Repetition.timer.cancel()
        _Repetition.timer = None


def _repeat(number: int) -> None:
    def deliver() -> None:
        _Repetition.is_due = True
        _thread.interrupt_main(signal.Signals(number))

    forget_signals()
    if not _Repetition.is_wanted:
        return
    _Repetition.timer = threading.Timer(REPEAT_S, deliver)
    _Repetition.timer.daemon = True
    _Repetition.timer.start()


def _is_unwinding() -> bool:
    """Return whether the exception of a signal is being handled anywhere on the stack."""
    error = sys.exc_info()[1]
    while error is not None:
        if isinstance(error, (KeyboardInterrupt, Terminated)):
            return True
        error = error.__context__
    return False


def _is_in_destructor(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
