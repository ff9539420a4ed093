"""Files: written so that a crash leaves the old one or the new one, never half of one; and their digest."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file beside `path` that takes its place when the block ends well.

    The bytes are on the disk before the name is: an fsync comes before the rename, and one of the folder after it.

    Raises:
        OSError: the disk is full or the folder cannot be written; `path` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = hidden_beside(path, "partial")
    try:
        with beside.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text file, all or nothing."""
    with atomic_file(path) as stream:
        stream.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file that people can read, all or nothing."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def finite(value: Any) -> Any:
    """Return JSON values with None, which is written as null, for NaN and infinities, which JSON has no number for."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits; the file is read in blocks.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hidden_beside(path: Path, kind: str) -> Path:
    """Return a hidden path beside `path` that is this process's: `.NAME.PID.KIND`."""
    return path.with_name(f".{path.name}.{os.getpid()}.{kind}")


@contextlib.contextmanager
def staging_folder(path: Path) -> Iterator[Path]:
    """Make an empty hidden folder beside `path`, whose content the block may move to its place.

    It is on the same file system, so moving is a rename. After the block it is removed, whatever happened, and so are
    the parents of `path` that were made for it, unless they hold something by then.

    Raises:
        OSError: a folder cannot be made.
    """
    staging = hidden_beside(path, "partial")
    made = [parent for parent in path.parents if not parent.exists()]
    shutil.rmtree(staging, ignore_errors=True)  # of a killed process that had the same number
    try:
        staging.mkdir(parents=True)
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for parent in made:
            with contextlib.suppress(OSError):  # it holds the result, or something of someone else's, or was not made
                parent.rmdir()
