"""Safe file names from names found in a file: they stay inside their folder, on every operating system."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from dlcli.core.errors import DataError

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069]')
# Windows opens devices by these names, whatever the extension.
# Source: learn.microsoft.com, "Naming Files, Paths, and Namespaces".
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_MAX_BYTES = 200  # file systems allow 255; the rest leaves room for a suffix


def safe_stem(name: str, fallback: str) -> str:
    """Return a name without folder and `.png`, safe as a file name on every system.

    Args:
        name: any string; only the part after the last slash or backslash counts.
        fallback: returned if nothing is left of the name.
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
    """Return a safe `.png` file name for each image, unique within its label.

    Names that differ only in case count as equal (macOS and Windows); the second gets `_2`, the third `_3`.
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
    """Return the class names after checking that each is a safe folder name.

    Args:
        names: the class names.
        where: where they come from, for messages.

    Raises:
        DataError: a name is empty or unsafe, or equals another one except for case.
    """
    seen: set[str] = set()
    for name in names:
        if not name or safe_stem(name, "") != name:
            raise DataError(f"{where}: the class name {name!r} cannot be a folder name")
        if name.casefold() in seen:
            raise DataError(f"{where}: the class name {name!r} occurs twice")
        seen.add(name.casefold())
    return tuple(names)
