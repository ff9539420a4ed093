"""Expanding the user's input arguments: files, folders and globs, in the order given."""

from __future__ import annotations

import glob  # pathlib has no glob of an absolute pattern
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from dlcli.data.walking import list_files

MAX_NAME, MAX_STEM = 200, 60
"""Maximum characters that are read from an input, and that are used, for the file name of its picture."""


def stem_of(source: str) -> str:
    """Return a file name for the picture of an input: the stem of a file, the first words of a text."""
    stem = Path(source[:MAX_NAME]).stem if len(source) <= MAX_NAME else source[:MAX_NAME]
    return re.sub(r"[^\w.-]+", "_", stem)[:MAX_STEM].strip("_.") or "input"


class UniqueNames:
    """File names, without suffixes, for what is saved of the inputs; equal ones are numbered.

    Args:
        is_used: whether a name must not be used, because a file of that name is an input.
    """

    def __init__(self, is_used: Callable[[str], bool]) -> None:
        self._is_used = is_used
        self._given: set[str] = set()

    def of(self, source: str) -> str:
        """Return a name for an input that no other one has, whatever their case."""
        stem = stem_of(source)
        name, number = stem, 2
        while name.casefold() in self._given or self._is_used(name):
            name, number = f"{stem}-{number}", number + 1
        self._given.add(name.casefold())
        return name


def expand_files(
    inputs: Iterable[str], wanted: frozenset[str] | Callable[[str], bool], skipped: list[str] | None = None
) -> Iterator[str]:
    """Yield the files that the inputs refer to.

    A named file is yielded whatever it is, a folder is searched with its subfolders (see `dlcli.data.walking`), and a
    pattern is expanded unless a file has exactly that name. Any other input is yielded unchanged, so that its reader
    reports the error.

    Args:
        inputs: the arguments.
        wanted: which files of a folder: their suffixes in lower case, or a function of the path.
        skipped: gets a line for each entry of a folder that cannot be read.
    """
    for text in inputs:
        # Of os.path, which answers no where pathlib raises: for a text too long for a name, or with a NUL.
        if os.path.isdir(text):  # noqa: PTH112
            path = Path(text)
            files = (str(path / name) for name in list_files(path, [] if skipped is None else skipped))
            yield from (file for file in files if _is_wanted(file, wanted))
        elif not os.path.exists(text) and "\0" not in text and glob.has_magic(text):  # noqa: PTH110
            yield from sorted(glob.glob(text, recursive=True)) or [text]  # noqa: PTH207
        else:
            yield text


def input_test(inputs: Iterable[str]) -> Callable[[Path], bool]:
    """Return the test whether an existing file is one that the inputs refer to, and so must not be written."""
    files: set[Path] = set()
    folders: list[Path] = []
    for text in inputs:
        try:
            path = Path(text)
            found = [path] if path.exists() else [Path(name) for name in glob.glob(text, recursive=True)]  # noqa: PTH207
            for place in found:
                if place.is_dir():
                    folders.append(place.resolve())
                else:
                    files.add(place.resolve())
        except (OSError, ValueError):  # a text, not a path
            continue

    def is_input(path: Path) -> bool:
        real = path.resolve()
        return path.exists() and (real in files or any(real.is_relative_to(folder) for folder in folders))

    return is_input


def _is_wanted(file: str, wanted: frozenset[str] | Callable[[str], bool]) -> bool:
    return Path(file).suffix.lower() in wanted if isinstance(wanted, frozenset) else wanted(file)
