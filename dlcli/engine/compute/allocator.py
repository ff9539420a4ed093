"""Memory that tensors free is kept for the next ones, in place of going back to the system.

A step on a CPU allocates and frees the same tens of megabytes over and over. glibc takes each large block from the
kernel and gives it back at once, so every step pays for clearing and mapping the same pages again: a quarter to a third
of a step's time (benchmarks/training_step.py). Kept, a block costs that once. A process then holds on to the most it
ever used, which for a training is about what it uses all the time.

Source: mallopt(3), M_MMAP_MAX and M_TRIM_THRESHOLD.
"""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
NEVER = 2**31 - 1
"""The most an option takes: so much free memory at the heap's end is never there to be given back."""

OWN_SETTINGS = ("MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""Who sets one of these has chosen an allocator or its ways, which are then left alone."""


def keep_freed_memory() -> bool:
    """Tell the C library to keep freed memory; return whether it will. Elsewhere than under glibc nothing is done."""
    glibc = _glibc()
    if glibc is None or any(os.environ.get(name) for name in OWN_SETTINGS):
        return False
    return bool(glibc.mallopt(M_MMAP_MAX, 0)) and bool(glibc.mallopt(M_TRIM_THRESHOLD, NEVER))


def give_back_freed_memory() -> None:
    """Give the system back what is kept now: after trials that took more than the training will."""
    glibc = _glibc()
    if glibc is not None:
        glibc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None  # musl has no such options
