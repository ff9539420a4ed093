"""Reading numpy's files without trusting them: a derived copy that cannot be read is rebuilt, never an error."""

from __future__ import annotations

import zipfile
from pathlib import Path
from tokenize import TokenError

import numpy as np

_UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    OverflowError,
    MemoryError,
    SyntaxError,
    RecursionError,
    TokenError,
    zipfile.BadZipFile,
)
"""What numpy 2.4 raises for invalid files; the four before the last come from its header parser."""


def load_npy(path: Path, *, is_mapped: bool = False) -> np.ndarray | None:
    """Return the array of a .npy file, memory-mapped or copied; None if it is missing or damaged.

    It is mapped before it is copied, because a header may claim more data than the file has.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray):  # an archive under this name
            array.close()
            return None
        return array if is_mapped else np.array(array)
    except _UNREADABLE:
        return None


def load_npz(path: Path) -> dict[str, np.ndarray] | None:
    """Return the arrays of a .npz file by name; None if it is missing or damaged."""
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):  # a single array under this name
            return None
        with archive:
            return {name: archive[name] for name in archive.files}
    except _UNREADABLE:
        return None
