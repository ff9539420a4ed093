"""Keep freed memory for the next tensors instead of returning it to the system.

A step on a CPU allocates and frees the same tens of megabytes over and over. glibc requests each large block from the
kernel and returns it at once, so every step pays for clearing and mapping the same pages again: a quarter to a third
of a step's time (benchmarks/training_step.py). A block that is kept pays once. The process then holds its peak memory
to the end, which for a training is about what it uses all the time.

Source: mallopt(3), M_MMAP_MAX and M_TRIM_THRESHOLD.
"""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
NEVER = 2**31 - 1
"""The largest value of an option: the free memory at the end of the heap never exceeds it, so it is never returned."""

OWN_SETTINGS = ("MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""Users who set one of these have chosen an allocator or its settings, which are then left unchanged."""


def keep_freed_memory() -> bool:
    """Make the C library keep freed memory and return whether it will; without glibc, do nothing."""
    glibc = _glibc()
    if glibc is None or any(os.environ.get(name) for name in OWN_SETTINGS):
        return False
    return bool(glibc.mallopt(M_MMAP_MAX, 0)) and bool(glibc.mallopt(M_TRIM_THRESHOLD, NEVER))


def give_back_freed_memory() -> None:
    """Return freed memory to the system now, as after trials that used more than the training will."""
    glibc = _glibc()
    if glibc is not None:
        glibc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None  # musl has no such options
