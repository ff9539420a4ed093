"""What happens in the process of a trial; a module that a new process can import, as it cannot a module of tests."""

from __future__ import annotations

import errno
import os
import signal
import time

from dlcli.core.errors import DataError, ExitCode, StoppedError


def add(channel, one, two):
    channel.send(("ask", one))
    return one + two + channel.recv()


def misuse(channel):
    raise DataError("data/x: nothing there", hint="look elsewhere", details=["one", "two"])


def crash(channel):
    os.kill(os.getpid(), signal.SIGSEGV)


def run_out_of_memory(channel):
    raise MemoryError


def stop_on_a_full_disk(channel):
    raise StoppedError("runs/x: the disk is full", exit_code=ExitCode.DATA, hint="free some space")


def fill_the_disk(channel):
    raise OSError(errno.ENOSPC, "No space left on device", "runs/x")


def have_a_fault(channel):
    raise RuntimeError("a fault\nof two lines")


def leave(channel):
    os._exit(3)


def work_on(channel, path):
    try:
        while True:
            time.sleep(0.01)
    except KeyboardInterrupt:
        with open(path, "w") as stream:  # noqa: PTH123 - as a training saves its checkpoint
            stream.write("saved")
        raise
