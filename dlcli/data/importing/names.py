"""Names that come out of a file and become names of files: they must stay inside their folder, on every system."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from dlcli.core.errors import DataError

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069]')
# Windows opens devices by these names, whatever the extension.
# Source: learn.microsoft.com, "Naming Files, Paths, and Namespaces".
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_MAX_BYTES = 200  # of 255 that file systems allow; leaves room for a suffix


def safe_stem(name: str, fallback: str) -> str:
    """Return a file's name without folder and without `.png`, safe as a file name everywhere.

    Args:
        name: whatever stands in the file; only what follows the last slash or backslash counts.
        fallback: what to use where nothing is left.
    """
    stem = re.split(r"[/\\]", name)[-1]
    if stem[-4:].lower() == ".png":
        stem = stem[:-4]
    if _PLAIN.fullmatch(stem) and len(stem) <= _MAX_BYTES and not _RESERVED.fullmatch(stem):
        return stem
    stem = _UNSAFE.sub("_", stem).strip(" .").encode()[:_MAX_BYTES].decode(errors="ignore")
    if not stem.strip("_"):
        return fallback
    return f"_{stem}" if _RESERVED.fullmatch(stem) else stem


def unique_png_names(names: Sequence[str], labels: Iterable[int]) -> list[str]:
    """Return a `.png` name for each image, safe, and unique among those of its label.

    Two names that differ only in case count as equal (macOS and Windows); the second gets `_2`, the third `_3`.
    """
    taken: set[tuple[int, str]] = set()
    result = []
    for index, (name, label) in enumerate(zip(names, labels, strict=True)):
        stem = candidate = safe_stem(name, f"image_{index:05d}")
        number = 2
        while (label, candidate.casefold()) in taken:
            candidate = f"{stem}_{number}"
            number += 1
        taken.add((label, candidate.casefold()))
        result.append(f"{candidate}.png")
    return result


def check_class_names(names: Sequence[str], where: str) -> tuple[str, ...]:
    """Return the class names, each of which is safe as a folder's name.

    Raises:
        DataError: a name is empty, would leave the folder, or differs from another one only in case.
    """
    seen: set[str] = set()
    for name in names:
        if not name or safe_stem(name, "") != name:
            raise DataError(f"{where}: the class name {name!r} cannot be a folder's name")
        if name.casefold() in seen:
            raise DataError(f"{where}: the class name {name!r} occurs twice")
        seen.add(name.casefold())
    return tuple(names)
