"""No signal is lost: not in a destructor, and not while an earlier one is on its way."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PREFACE = """
import os, signal, sys, time
from dlcli.core import interruption
from dlcli.core.interruption import Terminated, catch_signals, forget_signals
interruption.REPEAT_S = 0.05
catch_signals()
def send(): os.kill(os.getpid(), signal.SIGTERM)
def wait():
    for _ in range(100):  # a repeated signal does not cut a sleep short
        time.sleep(0.05)
"""

SCRIPTS = {
    "at once": "try:\n    send(); wait()\nexcept Terminated:\n    print('heard')",
    "in a destructor": """
class Slow:
    def __del__(self):
        send(); time.sleep(0.2)
try:
    Slow(); wait()
except Terminated:
    print('heard')
""",
    "in a generator that is given up": """
def numbers():
    try:
        yield 1
    finally:
        send(); time.sleep(0.01)
try:
    next(numbers()); wait()
except Terminated:
    print('heard')
""",
    "swallowed by a library": """
try:
    try:
        send(); wait()
    except BaseException:
        pass
    wait()
except Terminated:
    print('heard')
""",
    "once only": """
count = 0
try:
    try:
        send(); wait()
    finally:
        time.sleep(0.3)  # cleaning up takes longer than the repetition
        count += 1
except Terminated:
    forget_signals()
    count += 1
time.sleep(0.3)
print('heard' if count == 2 else count)
""",
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_signal_raises_its_exception_where_it_is_heard(script):
    done = subprocess.run([sys.executable, "-c", PREFACE + script], capture_output=True, text=True, timeout=20)
    assert (done.stdout, done.stderr, done.returncode) == ("heard\n", "", 0)


def test_a_signal_that_the_caller_ignores_stays_ignored():
    script = "print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    done = subprocess.run(
        [sys.executable, "-c", PREFACE + script],
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert done.stdout == "True\n"
