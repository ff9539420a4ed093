"""Doing the same to many files: in threads where that is faster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

_LARGE_BYTES = 32 * 1024  # above this mean size, decoding takes longer than Python's overhead per file

Result = TypeVar("Result")


def are_large(files: Sequence[Path]) -> bool:
    """Return whether files are so large on average that several threads decode them faster than one."""
    sample = files[:: max(1, len(files) // 200)]
    return sum(path.stat().st_size for path in sample) > _LARGE_BYTES * len(sample)


def for_each(function: Callable[..., Result], *arguments: Sequence[Any], are_large: bool) -> list[Result]:
    """Return the function's results, computed in threads if the files are large.

    OpenCV and hashlib release the GIL; for small files the threads contend for it and take 4x as long.
    """
    if not are_large:
        return list(map(function, *arguments))
    with ThreadPoolExecutor() as threads:
        return list(threads.map(function, *arguments))
