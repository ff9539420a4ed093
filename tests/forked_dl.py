"""A `dl` for shells whose processes are forked from one that has imported torch: a start takes 0.1 s of CPU and not 3.

Each command is a process all the same, with the arguments, the environment, the folder and the streams of its caller,
and its exit code and signals are those of `dl`. What a new interpreter imports first is tested elsewhere
(cli/test_startup.py, cli/test_process.py).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

PRELOADED = (
    "torch",
    "torchvision",
    "scipy.optimize",
    "sklearn.metrics",
    "matplotlib.figure",
    "onnx",
    "dlcli.cli.app",
    "dlcli.cli.process",
    "dlcli.engine.tuning.preloaded",
    "dlcli.engine.runs.evaluation",
    "dlcli.visualize.figure",
)
"""Imported before anything is forked; nothing of it starts a thread."""

LARGEST = 1 << 18
"""Bytes of a caller's arguments and environment."""

CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)  # until there is a process to forward them to
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.connect({place!r})
here = os.open(".", os.O_RDONLY)
words = sys.argv[1:]
{edit}
socket.send_fds(server, [json.dumps([words, dict(os.environ)]).encode()], [0, 1, 2, here])
number = int(server.recv(64))
for each in FORWARDED:
    signal.signal(each, lambda received, _: os.kill(number, received))
signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
code = int(server.recv(64) or -9)
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if code != -9 else None
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@contextlib.contextmanager
def forked_dl(place: Path, edit: str = "") -> Iterator[Path]:
    """Write an executable `dl` for the block, and start the process that its commands are forked from.

    Args:
        place: the executable; the socket stands beside it.
        edit: lines of Python that change the list `words`, the caller's arguments, in place.
    """
    door = place.with_name(f"{place.name}.socket")
    door.unlink(missing_ok=True)
    place.write_text(CLIENT.format(python=sys.executable, place=str(door), edit=edit))
    place.chmod(0o755)
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(Path(__file__).parent))),
    }
    command = [sys.executable, "-P", "-m", "forked_dl", str(door)]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None and server.stdin is not None
        assert server.stdout.readline() == b"ready\n"
        try:
            yield place
        finally:
            server.stdin.close()  # which ends it
            server.wait(120)
            door.unlink(missing_ok=True)


def serve(door: str) -> None:
    """Fork a process for each caller until standard input ends; return in each of them."""
    for name in PRELOADED:
        importlib.import_module(name)
    assert len(os.listdir("/proc/self/task")) == 1, "a thread would be missing in what is forked"  # noqa: PTH208
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(door)
    listener.listen(64)
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    callers: dict[int, socket.socket] = {}
    while True:
        found, _, _ = select.select([0, ended, listener], [], [])
        if ended in found:
            os.read(ended, 4096)
            _report(callers)
        if listener in found:
            caller, _ = listener.accept()
            content, streams, _, _ = socket.recv_fds(caller, LARGEST, 4)
            process = os.fork()
            if process == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for each in (listener, caller, *callers.values()):
                    each.close()
                os.close(ended), os.close(wake)
                _become(content, streams)
                return
            for stream in streams:
                os.close(stream)
            callers[process] = caller
            caller.send(str(process).encode())
        if 0 in found and not os.read(0, 1):
            os._exit(0)


def _report(callers: dict[int, socket.socket]) -> None:
    """Tell the callers of processes that have ended how they have."""
    while callers:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process == 0:
            return
        with callers.pop(process) as caller, contextlib.suppress(OSError):  # a caller that was killed
            caller.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(content: bytes, streams: list[int]) -> None:
    """Take over the arguments, the environment, the folder and the streams of a caller."""
    words, environment = json.loads(content)
    for number, stream in enumerate(streams[:3]):
        os.dup2(stream, number)
        os.close(stream)
    os.fchdir(streams[3])
    os.close(streams[3])
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["dl", *words]


if __name__ == "__main__":
    serve(sys.argv[1])
    from dlcli.__main__ import main

    main()
