"""Reading gzipped files with isal, in half of zlib's time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from isal import igzip, isal_zlib

from dlcli.core.errors import DataError

_GZIP_MAGIC = b"\x1f\x8b"
_IGZIP_FILE: Any = igzip.IGzipFile  # untyped
_ISAL_ERROR: Any = isal_zlib.error
_DAMAGE = (EOFError, zlib.error, _ISAL_ERROR)


@contextmanager
def open_decompressed(path: Path, hint: str) -> Iterator[IO[bytes]]:
    """Open a file for reading, gzipped or not; the caller limits how many bytes it reads.

    Args:
        path: the file.
        hint: the hint of the error if the file is damaged.

    Raises:
        DataError: the gzip stream is truncated or damaged.
        OSError: the file cannot be read.
    """
    try:
        with path.open("rb") as plain:
            is_gzip = plain.read(2) == _GZIP_MAGIC
            plain.seek(0)
            if is_gzip:
                with _IGZIP_FILE(fileobj=plain, mode="rb") as stream:
                    yield stream
            else:
                yield plain
    except _DAMAGE as error:
        raise DataError(f"{path}: truncated or damaged: {error}", hint=hint) from None
    except OSError as error:
        if error.errno is not None:  # from the disk, not from the stream (gzip.BadGzipFile)
            raise
        raise DataError(f"{path}: damaged: {error}", hint=hint) from None
