"""One walk of a folder for every command that reads one: nested files, links followed once, hidden entries skipped.

A walk calls `os.scandir` once for each folder and `os.stat` only for links, so 100,000 files take a few tenths of a
second. Nothing in it is fatal: broken links, links that lead back to a folder around them, and folders that may not be
read are skipped and noted.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class WalkedFolder(NamedTuple):
    """A folder that a walk meets.

    Attributes:
        prefix: its name relative to the walked folder, with a `/` at its end; "" for that folder itself.
        real: the path that links on the way to it lead to.
        files: names of the files in it.
        links: (name, real path) of the links to files in it.
    """

    prefix: str
    real: str
    files: list[str]
    links: list[tuple[str, str]]


def list_files(folder: Path, skipped: list[str]) -> list[str]:
    """Return the names of all files below a folder, relative to it with `/`, sorted; each file once.

    Args:
        folder: the folder; if it does not exist, the result is empty.
        skipped: gets a line for each entry that cannot be read: its path and the reason.
    """
    folders = list(walk_folders(folder, skipped))
    names = [prefix + name for prefix, _, files, _ in folders for name in files]
    links = sorted((prefix + name, real) for prefix, _, _, found in folders for name, real in found)
    if links:
        seen = {f"{real}{os.sep}{name}" for _, real, files, _ in folders for name in files}
        for name, real in links:
            if real not in seen:
                seen.add(real)
                names.append(name)
    return sorted(names)


def walk_folders(folder: Path, skipped: list[str]) -> Iterator[WalkedFolder]:
    """Yield a folder and those below it, each once, as they are met.

    Args:
        folder, skipped: as in `list_files`.
    """
    top = os.path.realpath(folder)
    seen = {top}
    waiting = [("", str(folder), top)]
    while waiting:
        prefix, path, real = waiting.pop()
        files, links = [], []
        for entry in _entries(path, skipped, is_required=bool(prefix)):
            if entry.name.startswith("."):
                continue
            if entry.is_file(follow_symlinks=False):
                files.append(entry.name)
                continue
            inner_real = os.path.realpath(entry.path) if entry.is_symlink() else f"{real}{os.sep}{entry.name}"
            if is_folder(entry, skipped):
                if is_around(inner_real, real) or is_around(inner_real, top):
                    skipped.append(f"{entry.path}: a link to a folder around it")
                elif inner_real not in seen and not (entry.is_symlink() and _is_walked_anyway(inner_real, top)):
                    seen.add(inner_real)
                    waiting.append((f"{prefix}{entry.name}/", entry.path, inner_real))
            elif is_file(entry, skipped):
                links.append((entry.name, inner_real))
        yield WalkedFolder(prefix, real, files, links)


def _entries(path: str, skipped: list[str], *, is_required: bool) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except OSError as error:
        if is_required or not isinstance(error, FileNotFoundError):
            skipped.append(f"{path}: {error.strerror}")
        return []


def is_folder(entry: os.DirEntry[str], skipped: list[str]) -> bool:
    """Return whether an entry is a folder or a link to one; a broken link or a loop of links is noted in `skipped`."""
    try:
        if entry.is_dir():
            return True
        if entry.is_symlink():
            entry.stat()
    except OSError as error:
        reasons = {errno.ELOOP: "a link that leads back to itself", errno.ENOENT: "a broken link"}
        skipped.append(f"{entry.path}: {reasons.get(error.errno or 0, error.strerror)}")
    return False


def is_file(entry: os.DirEntry[str], skipped: list[str]) -> bool:
    """Return whether an entry is a regular file or a link to one; pipes, sockets and devices are noted in `skipped`."""
    try:
        if entry.is_file():
            return True
        kind = entry.stat().st_mode
    except OSError:
        return False  # `is_folder` has noted it
    if not stat.S_ISDIR(kind):
        skipped.append(f"{entry.path}: neither a file nor a folder")
    return False


def is_around(outer: str, inner: str) -> bool:
    """Return whether one real path is another one or a folder around it."""
    return inner == outer or inner.startswith(outer.rstrip(os.sep) + os.sep)


def _is_walked_anyway(real: str, top: str) -> bool:
    """Return whether a real path is below the top without a hidden folder between, so that no link is needed."""
    return is_around(top, real) and f"{os.sep}." not in real[len(top) :]


def skipped_note(skipped: list[str]) -> list[str]:
    """Return one line about what a walk skipped: how many entries, and the first; none if it skipped nothing."""
    if not skipped:
        return []
    count = "1 entry was" if len(skipped) == 1 else f"{len(skipped):,} entries were"
    return [f"{count} skipped, the first: {min(skipped)}"]
