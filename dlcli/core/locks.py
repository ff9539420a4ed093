"""Locks: files that one process at a time holds, with its number and machine in them, for the others to name it."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""What file systems without locks answer, such as some network and FUSE ones."""

POLL_S = 0.02

_FAR = 1 << 30
"""The byte that is locked on Windows, where a locked byte cannot be read: one behind the content."""


class HeldError(Exception):
    """Another process holds the lock.

    Attributes:
        holder: that process, for people.
        pid: its number, if it is on this machine.
    """

    def __init__(self, holder: str, pid: int | None) -> None:
        super().__init__(holder)
        self.holder = holder
        self.pid = pid


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock `path` during the block; the file is removed afterwards.

    The lock ends with the process, however that ends. A file system without locks is answered by what the file says: a
    process of this machine that is alive holds it.

    Raises:
        HeldError: another process holds it.
        OSError: the file cannot be created.
    """
    descriptor = _acquire(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows removes no open file
            path.unlink(missing_ok=True)
        os.close(descriptor)


@contextlib.contextmanager
def hold_when_free(path: Path, *, limit_s: float = math.inf) -> Iterator[None]:
    """Hold the lock `path` during the block, as soon as nobody else does; see `hold`.

    Raises:
        HeldError: another process has held it for longer than `limit_s`.
        OSError: the file cannot be created.
    """
    deadline = time.monotonic() + limit_s
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(hold(path))
                break
            except HeldError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_S)
        yield


def _acquire(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if _is_held(descriptor):
                raise _held_by(_content(descriptor))
            if os.fstat(descriptor).st_ino == _inode(path):
                with contextlib.suppress(OSError):  # on a full disk the lock holds all the same
                    os.ftruncate(descriptor, 0)
                    os.lseek(descriptor, 0, os.SEEK_SET)
                    os.write(descriptor, f"{os.getpid()} {_host()}\n".encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its holder has removed the file in between


def _is_held(descriptor: int) -> bool:
    """Lock an open file, and return whether another process was faster."""
    try:
        _lock(descriptor)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return True
        if error.errno not in WITHOUT_LOCKS:
            raise
        pid, host = _parse(_content(descriptor))
        return host == _host() and pid != os.getpid() and _is_alive(pid)
    return False


def _lock(descriptor: int) -> None:
    if os.name == "nt":
        import msvcrt

        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        os.lseek(descriptor, 0, os.SEEK_SET)
    else:
        import fcntl

        # Not flock: its lock would be shared with forked workers, which may outlive a killed process for seconds.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _content(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 300).decode(errors="replace")


def _host() -> str:
    import socket  # help pages import this module, and would take a tenth longer

    return socket.gethostname()


def _parse(content: str) -> tuple[int, str]:
    pid, _, host = content.strip().partition(" ")
    return (int(pid), host) if pid.isdecimal() and len(pid) < 10 else (0, host)


def _held_by(content: str) -> HeldError:
    pid, host = _parse(content)
    if not pid:
        return HeldError("another process", None)
    return HeldError(f"process {pid} on {host}", pid if host == _host() else None)


def _is_alive(pid: int) -> bool:
    if pid <= 0 or os.name == "nt":  # os.kill(pid, 0) would send Ctrl-C there
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
