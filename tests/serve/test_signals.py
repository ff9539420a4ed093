"""Signals that ask for a change before anybody can follow them are kept, and end nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dlcli.core.interruption import Terminated, signals_held
from dlcli.serve import signals
from dlcli.serve.signals import CHANGES, noting

pytestmark = pytest.mark.skipif(not CHANGES, reason="there are no such signals on Windows")

NOTES = """
from dlcli.serve.signals import noting

with noting() as noted:
    print(sorted(noted))
"""


@pytest.fixture(autouse=True)
def elsewhere() -> Iterator[list[int]]:
    """The signals that nobody notes, which would end the tests."""
    found: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: found.append(number)) for number in CHANGES}
    yield found
    for number, handler in before.items():
        signal.signal(number, handler)


def test_signals_are_noted_in_the_block_alone(elsewhere: list[int]) -> None:
    with noting() as noted:
        for number in (*CHANGES, *CHANGES):
            os.kill(os.getpid(), number)
        assert (noted, elsewhere) == (set(CHANGES), [])
    os.kill(os.getpid(), signal.SIGHUP)
    assert elsewhere == [signal.SIGHUP]


def test_the_end_of_the_terminal_is_no_wish_for_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "has_terminal", lambda: True)
    with pytest.raises(Terminated), noting() as noted:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGHUP)
        assert noted == set(CHANGES)
        monkeypatch.setattr(signals, "has_terminal", lambda: False)
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGHUP)


def test_a_process_that_has_not_begun_notes_them_once_it_has(elsewhere: list[int]) -> None:
    with signals_held(CHANGES):
        process = subprocess.Popen([sys.executable, "-c", NOTES], stdout=subprocess.PIPE, text=True)
        signal.raise_signal(signal.SIGUSR1)  # to this thread: another one of the test's process would take it
        assert elsewhere == []
    assert elsewhere == [signal.SIGUSR1]
    process.send_signal(signal.SIGHUP)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, f"[{int(signal.SIGHUP)}]\n")
