"""Atomic writes, where a crash leaves the old file or the new one and never half of one; and file digests."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from dlcli.core.errors import UsageError
from dlcli.core.wording import printable

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What a full disk and a used-up quota answer."""


MAX_NESTING = 64
"""Lists and objects around a value of JSON. What is written by dl needs ten; Python's writer fails at some hundreds."""


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` that replaces it when the block succeeds.

    The bytes reach the disk before the name does: the file is fsynced before the rename, the folder after it. A link
    stays one: the file that it leads to is replaced.

    Raises:
        OSError: the disk is full or the folder is not writable; `path` is then unchanged.
        UsageError: `path` is a device, a pipe or a socket.
    """
    path = place_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = hidden_beside(path, "partial")
    try:
        with beside.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(path)  # a failed write does not name its file
        raise
    _sync_folder(path.parent)


def place_of(path: Path) -> Path:
    """Return the place where a file called `path` is to be written: where it leads to if it is a link.

    Raises:
        UsageError: it is a device, a pipe or a socket, which a file must not replace.
    """
    try:
        mode = path.stat().st_mode
    except OSError:  # there is nothing yet
        mode = stat.S_IFREG
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UsageError(f"{path}: a device or a pipe, which is not replaced by a file", hint="name another file")
    return path.resolve() if path.is_symlink() else path


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically; surrogates (bytes of a name that are no text) become escapes, as JSON's."""
    with atomic_file(path) as stream:
        stream.write(text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """Write a human-readable JSON file atomically."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def replace_json(path: Path, value: Any) -> None:
    """Replace a human-readable JSON file: atomically, or on a full disk in place, in the block that it already has."""
    try:
        write_json(path, value)
    except OSError as error:
        if error.errno not in FULL:
            raise
        with path.open("r+b") as stream:
            stream.write((json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())
            stream.truncate()


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text that somebody else may have written.

    Raises:
        ValueError: it is not JSON in UTF-8, or nested more deeply than `MAX_NESTING`.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        value = None
        is_deep = True
    else:
        brackets = (b"[", b"{") if isinstance(text, bytes) else ("[", "{")
        is_deep = sum(map(text.count, brackets)) > MAX_NESTING and _is_deep(value)  # type: ignore[arg-type]
    if is_deep:
        raise ValueError("nested too deeply")
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_NESTING):
        inner = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list)))
        level = [each for values in inner for each in values]
    return any(isinstance(each, (dict, list)) for each in level)


def finite(value: Any) -> Any:
    """Return a JSON value with NaN and infinities, which JSON cannot represent, replaced by None (null)."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def is_folder(path: Path) -> bool:
    """Return whether this is a folder: `Path.is_dir` raises for what can be no path, such as a long text."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: Path) -> bool:
    """Return whether this is a file: `Path.is_file` raises for what can be no path, such as a long text."""
    return os.path.isfile(path)  # noqa: PTH113


def numbered_folder(place: Path, stem: str) -> Path:
    """Create `place/<stem>-<n>` with the number after the highest that is taken, and return it."""
    taken = [re.fullmatch(re.escape(stem) + r"-(\d+)", path.name) for path in place.iterdir()]
    number = max((int(match[1]) for match in taken if match), default=0) + 1
    while True:
        path = place / f"{stem}-{number}"
        try:
            path.mkdir()
        except FileExistsError:  # another process was faster
            number += 1
        else:
            return path


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits; the file is read in blocks.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


_TOKEN = secrets.token_hex(4)
"""Tells this process from one with the same number in another container or on another machine."""


def hidden_beside(path: Path, kind: str) -> Path:
    """Return a hidden path beside `path` for this process: `.NAME.PID-TOKEN.KIND`.

    Bytes of the name that are not UTF-8 are escaped, since not every library that writes there takes them.
    """
    return path.with_name(f".{printable(path.name)}.{os.getpid()}-{_TOKEN}.{kind}")


@contextlib.contextmanager
def staging_folder(path: Path) -> Iterator[Path]:
    """Create an empty hidden folder beside `path`, whose content the block may move to `path`.

    It is on the same file system, so a move is a rename. After the block it is always removed, and so are the parents
    of `path` that were created for it, unless they contain something by then.

    Raises:
        OSError: a folder cannot be created.
    """
    staging = hidden_beside(path, "partial")
    made = [parent for parent in path.parents if not parent.exists()]
    shutil.rmtree(staging, ignore_errors=True)  # left by a killed process with the same PID
    try:
        staging.mkdir(parents=True)
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for parent in made:
            with contextlib.suppress(OSError):  # it holds the result or another process's files, or was never created
                parent.rmdir()
