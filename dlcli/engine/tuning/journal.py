"""The journal of a study: Optuna's file of JSON lines, which all processes of the study append to. Torch-free."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.core.errors import RunError

if TYPE_CHECKING:
    from optuna.storages import JournalStorage

MAX_JOURNAL = 1 << 28
"""A journal is read whole; a hundred trials of a hundred epochs take 1 MB."""

FAULTS = (ValueError, KeyError, TypeError, AttributeError, AssertionError, IndexError, OverflowError, RecursionError)
"""What Optuna raises for lines that are none of its own."""


def open_journal(path: Path) -> JournalStorage:
    """Open a journal, or create it.

    Its own lock is a file that is created exclusively, so it also holds between machines on one disk; one that a killed
    process has left is broken after half a minute.

    Raises:
        RunError: it is damaged.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    if path.exists() and path.stat().st_size > MAX_JOURNAL:
        raise damaged(path, "too large")
    lock = JournalFileOpenLock(str(path))
    _drop_half_a_line(path, lock)
    try:
        return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
    except FAULTS as error:
        raise damaged(path, str(error)) from None


def damaged(path: Path, why: str) -> RunError:
    """Return the error for a journal that cannot be read."""
    hint = "start a new study, or mend the file: a line is a JSON record of Optuna's"
    return RunError(f"{path}: damaged: {why[:120]}", hint=hint)


def _drop_half_a_line(path: Path, lock: Any) -> None:
    """Remove a last line without an end, which a process left that was killed or had no disk: it says nothing yet."""
    from optuna.storages.journal._file import get_lock_file

    if not path.exists():
        return
    with get_lock_file(lock), path.open("r+b") as stream:
        content = stream.read()
        if content and not content.endswith(b"\n"):
            stream.truncate(content.rfind(b"\n") + 1)
            stream.flush()
            os.fsync(stream.fileno())
