"""`--devices N`: one training by N processes on this machine, with one message and one exit code."""

from __future__ import annotations

import _thread
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from dlcli.core.console import ERRORS, Console
from dlcli.core.cores import usable_cores
from dlcli.core.errors import ExitCode
from dlcli.core.interruption import STOPS

MAX_RESTARTS = 3
"""How often all processes start again after one was killed. An error is never mended by that, so it ends them."""

GRACE_S = 10.0
"""Time for the others to end by themselves after one has ended, and again after they were asked to."""

POLL_S = 0.05


def launch(count: int, words: Sequence[str], console: Console) -> int:
    """Run `dl WORDS` as `count` processes that train together, and return their exit code.

    A signal is passed on to each of them once, whether it reached this process alone or its whole group: they have a
    group of their own. The error of the one that failed first is printed; the others' are its consequences.
    """
    signals: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        signals.append(number)

    heeded = [number for number in STOPS if signal.getsignal(number) != signal.SIG_IGN]
    previous = {number: signal.signal(number, note) for number in heeded}
    launch_id = uuid.uuid4().hex
    try:
        for restart in range(MAX_RESTARTS + 1):
            with tempfile.TemporaryDirectory() as errors:
                more = {"TORCHELASTIC_RUN_ID": launch_id, "TORCHELASTIC_RESTART_COUNT": str(restart), ERRORS: errors}
                processes = _start(count, words, more)
                failed = _wait(processes, signals)
                if failed is None:
                    return ExitCode.DONE
                is_killed = failed.returncode < 0
                if is_killed and signals:  # it reached them before they could heed it
                    console.error(["error: interrupted" if signals[0] == signal.SIGINT else "error: terminated"])
                    return ExitCode.INTERRUPTED if signals[0] == signal.SIGINT else ExitCode.TERMINATED
                if not is_killed or restart == MAX_RESTARTS:
                    return _report(processes, failed, Path(errors), console)
            console.say(f"a process was killed by {_name(-failed.returncode)}: starting all of them again")
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    raise AssertionError("every round returns or starts another")


def _start(count: int, words: Sequence[str], more: Mapping[str, str]) -> list[subprocess.Popen[bytes]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        # The processes share the cores; see `open_device`.
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, usable_cores() // count))),
        # The folder of the user's files is not for imports, as it is not for one process that was started as `dl`.
        "PYTHONSAFEPATH": "1",
    }
    return [
        subprocess.Popen(
            [sys.executable, "-P", "-m", "dlcli", *words],
            stdin=subprocess.PIPE,  # it closes with this process, for `end_with_launcher`
            env={**os.environ, **shared, **more, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            process_group=None if os.name == "nt" else 0,
        )
        for rank in range(count)
    ]


def _wait(processes: Sequence[subprocess.Popen[bytes]], signals: Sequence[int]) -> subprocess.Popen[bytes] | None:
    """Wait until all processes have ended, and return the one that failed first; None if none did."""
    failed: subprocess.Popen[bytes] | None = None
    passed_on, deadline, last = 0, float("inf"), signal.SIGTERM
    while any(process.poll() is None for process in processes):
        for number in signals[passed_on:]:
            _send(processes, number)
        passed_on = len(signals)
        if failed is None:
            failed = next((process for process in processes if process.poll()), None)
            deadline = time.monotonic() + GRACE_S if failed is not None else deadline
        elif time.monotonic() > deadline:  # they wait for the one that has ended
            _send(processes, last)
            deadline, last = time.monotonic() + GRACE_S, getattr(signal, "SIGKILL", signal.SIGTERM)
        time.sleep(POLL_S)
    return failed or next((process for process in processes if process.returncode), None)


def _send(processes: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)


def _report(
    processes: Sequence[subprocess.Popen[bytes]], failed: subprocess.Popen[bytes], errors: Path, console: Console
) -> int:
    """Print the first error of those that the processes left in files, and return its exit code.

    If the first process has failed with the same exit code, its message counts: it writes the run.
    """
    written = sorted(errors.iterdir(), key=lambda path: (path.stat().st_mtime_ns, path.name))
    codes = {path: processes[int(path.name)].returncode for path in written}
    if failed.returncode < 0 or not written:
        console.error([f"error: one of {len(processes)} processes was ended by {_name(-failed.returncode)}"])
        return max(failed.returncode, ExitCode.FAULT)
    first = next((path for path in written if path.name == "0" and codes[path] == codes[written[0]]), written[0])
    console.error(first.read_text(encoding="utf-8").splitlines())
    return codes[first]


def end_with_launcher() -> None:
    """Let this process, one of those that train together, stop like after SIGTERM when its launcher has ended."""
    if ERRORS not in os.environ:
        return

    def watch() -> None:
        while os.read(0, 1):
            pass
        _thread.interrupt_main(signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"exit {-number}"
