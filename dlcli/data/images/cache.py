"""Decoded images kept for the epochs to come, in memory or in one file, shared by all worker processes. Torch-free."""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.images.operations.geometry import Size

Kind = Literal["ram", "disk", "none"]
"""Where decoded images are kept; "none" decodes them in every epoch."""

_UNREAD, _READ = 0, 1


class PixelCache:
    """Images by row, each decoded once.

    Memory is used only for what was read. Workers that are forked share it, so what one has decoded none decodes again.

    Args:
        sizes: height and width of each image as it is kept.
        read: (row) -> the image of that size, (H, W, 3) uint8; raises a DataError if it cannot be read.
        kind: "ram", "disk" or "none".
        folder: of the file, for "disk"; None for the system's for temporary files. The file is deleted with the cache.
    """

    def __init__(
        self, sizes: Sequence[Size], read: Callable[[int], np.ndarray], kind: Kind, folder: Path | None = None
    ) -> None:
        self._sizes = [(int(height), int(width)) for height, width in sizes]
        self._read = read
        ends = np.cumsum([0, *(1 + 3 * height * width for height, width in self._sizes)], dtype=np.int64)
        self._starts = ends[:-1]
        self._path = _new_file(folder, int(ends[-1])) if kind == "disk" and len(sizes) else None
        self._bytes = _mapped(self._path) if self._path else _memory(int(ends[-1])) if kind == "ram" else None
        self._kind = kind
        if self._path is not None:
            weakref.finalize(self, _delete, self._path, os.getpid())

    @property
    def num_bytes(self) -> int:
        """How much memory or disk all images take."""
        return sum(3 * height * width for height, width in self._sizes)

    def __getitem__(self, row: int) -> np.ndarray:
        """Return an image, (H, W, 3) uint8, not to be written to.

        Raises:
            DataError: it cannot be read.
        """
        if self._bytes is None:
            return self._read(row)
        first, (height, width) = int(self._starts[row]), self._sizes[row]
        pixels = self._bytes[first + 1 : first + 1 + 3 * height * width].reshape(height, width, 3)
        if self._bytes[first] == _UNREAD:
            pixels[:] = self._read(row)
            self._bytes[first] = _READ  # last: another process then sees all of it, or reads it once more
        return pixels

    def __getstate__(self) -> dict[str, Any]:
        """Return what a process needs that is not forked: the path of the file; memory is not shared with it."""
        return {**self.__dict__, "_bytes": None}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Open the file, or new memory."""
        self.__dict__.update(state)
        if self._path is not None:
            self._bytes = _mapped(self._path)
        elif self._kind == "ram":
            self._bytes = _memory(self.num_bytes + len(self._sizes))


def _memory(size: int) -> np.ndarray:
    """Return zeros that forked processes share, (size,) uint8; a page takes memory once it is written."""
    try:
        return np.frombuffer(mmap.mmap(-1, max(size, 1)), np.uint8)
    except (OSError, ValueError, OverflowError):
        raise DataError(
            f"no {size / 1e9:.1f} GB of memory for the decoded images", hint="use --cache disk or --cache none"
        ) from None


def _new_file(folder: Path | None, size: int) -> Path:
    """Return the path of a new .npy file of zeros.

    Raises:
        DataError: it cannot be made, or the disk has too little room.
    """
    folder = Path(tempfile.gettempdir()) if folder is None else folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_room(folder, size)
        handle, name = tempfile.mkstemp(prefix="images-", suffix=".npy", dir=folder)
        os.close(handle)
        array = np.lib.format.open_memmap(name, mode="w+", dtype=np.uint8, shape=(size,))
        del array
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}", hint="use --cache ram or --cache none") from None
    return Path(name)


def _check_room(folder: Path, size: int) -> None:
    """Raise an OSError if the disk lacks room: a mapped file that finds none ends the process by a signal."""
    import shutil

    free = shutil.disk_usage(folder).free
    if size > free:
        raise OSError(None, f"{size / 1e9:.1f} GB for the decoded images, of which {free / 1e9:.1f} GB are free")


def _mapped(path: Path) -> np.ndarray:
    array: np.ndarray = np.load(path, mmap_mode="r+").view(np.ndarray)
    return array


def _delete(path: Path, process: int) -> None:
    if os.getpid() == process:  # not when a forked worker ends
        with contextlib.suppress(OSError):
            path.unlink()
