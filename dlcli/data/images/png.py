"""Writing many small PNG files fast.

Every row gets the SUB filter (each byte minus the same channel's byte one pixel to the left), then isal's level 1
deflate: a third of zlib's time at nearly its size on photographs (benchmarks/prepare_cifar10.py). If the system
supports it, files are created relative to a directory descriptor, which saves resolving the path; one process per core
writes them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from isal import isal_zlib

from dlcli.core.cores import usable_cores
from dlcli.core.errors import DataError

# Source: the PNG specification (third edition), 5 and 9: signature, chunk layout, colour types, filter type 1.
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 3: 2}  # channels -> greyscale, truecolour
_SUB = 1
_IDAT_CRC = isal_zlib.crc32(b"IDAT")

MAX_PROCESSES = 8
_CHUNK = 1000  # files per job: 50 ms of work, much more than the 0.2 ms of submitting it
_WORTH_A_PROCESS = 4000  # below this the start of a process (0.15 s) costs more than it saves


def encode_pngs(images: np.ndarray) -> Iterator[bytes]:
    """Yield the PNG file content of each image.

    Args:
        images: (N, H, W, C) uint8, C is 1 (grey) or 3 (RGB).
    """
    count, height, width, channels = images.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    start = _SIGNATURE + _chunk(b"IHDR", header)
    end = _chunk(b"IEND", b"")
    rows = images.reshape(count, height, width * channels)
    filtered = np.empty((count, height, 1 + width * channels), np.uint8)
    filtered[:, :, 0] = _SUB
    filtered[:, :, 1 : 1 + channels] = rows[:, :, :channels]
    np.subtract(rows[:, :, channels:], rows[:, :, :-channels], out=filtered[:, :, 1 + channels :])
    for image in filtered.reshape(count, height * (1 + width * channels)):
        data = isal_zlib.compress(image, 1)
        crc = isal_zlib.crc32(data, _IDAT_CRC)
        yield b"".join((start, len(data).to_bytes(4, "big"), b"IDAT", data, crc.to_bytes(4, "big"), end))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", isal_zlib.crc32(kind + data))


def write_png_files(packed_file: Path, first_row: int, folder: Path, names: Sequence[str]) -> None:
    """Write consecutive rows of a packed array as PNG files.

    Args:
        packed_file: an .npy file, (N, H, W, C) uint8.
        first_row: the row of the first name.
        folder: existing folder of the files.
        names: file names of the rows.

    Raises:
        OSError: the disk is full, or a file of that name exists.
    """
    images = np.load(packed_file, mmap_mode="r", allow_pickle=False)[first_row : first_row + len(names)]
    with _creator(folder) as create:
        for name, data in zip(names, encode_pngs(images), strict=True):
            create(name, data)


@contextlib.contextmanager
def _creator(folder: Path) -> Iterator[Callable[[str, bytes], None]]:
    """Yield a function that creates a file in the folder."""
    if os.open not in os.supports_dir_fd:  # Windows

        def create_by_path(name: str, data: bytes) -> None:
            with (folder / name).open("xb") as stream:
                stream.write(data)

        yield create_by_path
        return
    directory = os.open(folder, os.O_RDONLY)

    def create(name: str, data: bytes) -> None:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=directory)
        try:
            written = os.write(descriptor, data)
            while written < len(data):  # on a full disk the first write is partial, and the next one raises
                written += os.write(descriptor, data[written:])
        finally:
            os.close(descriptor)

    try:
        yield create
    finally:
        os.close(directory)


def num_processes() -> int:
    """Return the number of processes for writing: the cores that this process may use, at most 8."""
    usable = usable_cores()
    return min(usable, MAX_PROCESSES)


class PngWriters:
    """A pool of processes that write PNG files while the caller continues reading; in `finish` the caller helps.

    With one core, or too few images to make a process pay off, all files are written in `finish`.
    """

    def __init__(self, num_images: int) -> None:
        more = num_processes() - 1 if num_images >= _WORTH_A_PROCESS else 0
        self._pool: ProcessPoolExecutor | None = None
        if more:
            # "spawn": the caller has threads (the SHA-256 of the source), and a fork would copy their locks.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(more, context, initializer=_start_worker)
            for _ in range(more):  # so that they start (0.15 s of imports) before the first images arrive
                self._pool.submit(os.getpid)
        self._jobs: list[tuple[Path, int, Path, Sequence[str]]] = []
        self._futures: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def add(self, packed_file: Path, first_row: int, folder: Path, names: Sequence[str]) -> None:
        """Submit consecutive rows of a packed array; see `write_png_files`."""
        for start in range(0, len(names), _CHUNK):
            job = (packed_file, first_row + start, folder, names[start : start + _CHUNK])
            self._jobs.append(job)
            if self._pool is not None:
                with _said_plainly():
                    self._futures.append(self._pool.submit(write_png_files, *job))

    def finish(self) -> None:
        """Wait until every file is written.

        Raises:
            OSError: a file could not be written, here or in a worker.
            DataError: a worker was killed.
        """
        if self._pool is None:
            for job in self._jobs:
                write_png_files(*job)
            return
        with _said_plainly():
            for job, future in zip(reversed(self._jobs), reversed(self._futures), strict=True):
                if future.cancel():  # no worker has started it, so write it here
                    write_png_files(*job)
            for future in self._futures:
                if not future.cancelled():
                    future.result()


@contextlib.contextmanager
def _said_plainly() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise DataError(
            "a process that writes the images was killed", hint="the machine may be out of memory: try again"
        ) from None


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """Exit when the parent is killed, since this worker would otherwise wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
