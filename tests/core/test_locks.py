from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from dlcli.core import locks
from dlcli.core.locks import HeldError, hold, hold_when_free

HOLDER = """
import os, sys
from pathlib import Path
from dlcli.core.locks import hold
with hold(Path(sys.argv[1])):
    if len(sys.argv) > 2 and os.fork() == 0:  # as a worker that outlives the process
        sys.stdin.read()
        os._exit(0)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock `tmp_path/lock`."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "lock"), "forking"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.stdin.close()


def test_a_held_lock_is_refused_and_names_its_holder(tmp_path, holder):
    with (
        pytest.raises(HeldError, match=f"process {holder.pid} on {socket.gethostname()}") as caught,
        hold(tmp_path / "lock"),
    ):
        pass
    assert caught.value.pid == holder.pid
    assert (tmp_path / "lock").exists()


def test_a_lock_ends_with_its_process_even_if_one_that_it_forked_lives_on(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with hold(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()} {socket.gethostname()}\n"


def test_the_file_is_gone_after_the_block_and_the_lock_can_be_held_again(tmp_path):
    for _ in range(2):
        with pytest.raises(RuntimeError), hold(tmp_path / "lock"):
            raise RuntimeError
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "is_refused"),
    [
        (f"{os.getppid()} {socket.gethostname()}\n", True),
        (f"{os.getppid()} another-host\n", False),
        (f"{2**22 + 1} {socket.gethostname()}\n", False),
        ("", False),
        ("rubbish", False),
    ],
    ids=["alive here", "elsewhere", "dead", "empty", "rubbish"],
)
def test_without_locks_a_living_process_of_this_machine_counts(tmp_path, monkeypatch, content, is_refused):
    def refuse(descriptor):
        raise OSError(locks.WITHOUT_LOCKS[0], "no locks")

    monkeypatch.setattr(locks, "_lock", refuse)
    path = tmp_path / "lock"
    path.write_text(content)
    if is_refused:
        with pytest.raises(HeldError), hold(path):
            pass
    else:
        with hold(path):
            assert path.read_text().startswith(f"{os.getpid()} ")


def test_waiting_for_a_lock_ends_when_its_holder_does(holder, tmp_path):
    holder.kill()
    with hold_when_free(tmp_path / "lock", limit_s=30):
        assert (tmp_path / "lock").read_text().startswith(str(os.getpid()))


def test_waiting_for_a_lock_has_a_limit(holder, tmp_path):
    with pytest.raises(HeldError) as caught, hold_when_free(tmp_path / "lock", limit_s=0.1):
        pass
    assert caught.value.pid == holder.pid


def test_an_error_within_a_waited_for_lock_is_the_callers(tmp_path):
    other = HeldError("another lock", None)
    with pytest.raises(HeldError) as caught, hold_when_free(tmp_path / "lock"):
        raise other
    assert caught.value is other
    assert not (tmp_path / "lock").exists()
