"""Expanding the user's input arguments: files, folders and globs, in the order given."""

from __future__ import annotations

import glob  # pathlib has no glob of an absolute pattern
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"})


MAX_NAME, MAX_STEM = 200, 60
"""Maximum characters that are read from an input, and that are used, for the file name of its picture."""


def stem_of(source: str) -> str:
    """Return a file name for the picture of an input: the stem of a file, the first words of a text."""
    stem = Path(source[:MAX_NAME]).stem if len(source) <= MAX_NAME else source[:MAX_NAME]
    return re.sub(r"[^\w.-]+", "_", stem)[:MAX_STEM].strip("_.") or "input"


def expand_files(inputs: Iterable[str], suffixes: frozenset[str] = IMAGE_SUFFIXES) -> Iterator[str]:
    """Yield the files that the inputs refer to.

    A named file is yielded regardless of its suffix, a folder is searched recursively, and a pattern is expanded unless
    a file has exactly that name. Any other input is yielded unchanged, so that its reader reports the error.
    """
    for text in inputs:
        # Of os.path, which answers no where pathlib raises: for a text too long for a name, or with a NUL.
        if os.path.isdir(text):  # noqa: PTH112
            yield from sorted(str(file) for file in Path(text).rglob("*") if _is_wanted(file, suffixes))
        elif not os.path.exists(text) and "\0" not in text and glob.has_magic(text):  # noqa: PTH110
            yield from sorted(glob.glob(text, recursive=True)) or [text]  # noqa: PTH207
        else:
            yield text


def _is_wanted(file: Path, suffixes: frozenset[str]) -> bool:
    return file.suffix.lower() in suffixes and not file.name.startswith(".") and file.is_file()
