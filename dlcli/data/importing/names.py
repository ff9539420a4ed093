"""Safe file names from names found in a file: they stay inside their folder, on every operating system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from dlcli.core.console import shorten
from dlcli.core.errors import DataError
from dlcli.core.wording import is_unicode, printable

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


def check_class_names(names: Sequence[str], where: str, *, otherwise: str = "") -> tuple[str, ...]:
    """Return the class names after checking that each is a safe folder name.

    Args:
        names: the class names.
        where: where they come from, for messages.
        otherwise: what to do instead of renaming, for the hint: ", or ...".

    Raises:
        DataError: a name is empty or unsafe, or differs from another one only in case, Unicode form or outer blanks.
    """
    seen: dict[str, str] = {}
    for name in names:
        if not name or safe_stem(name, "") != name:
            safe = safe_stem(name, "")
            example = f" (to {safe!r}, for example)" if safe else ""
            raise DataError(
                f"{where}: the class name {_shown(name)} cannot be a folder name on every system",
                hint=f"rename the class{example}{otherwise}",
            )
        twin = seen.get(_folded(name).casefold())
        if twin == name:
            raise DataError(f"{where}: the class name {_shown(name)} occurs twice", hint="remove one of the two")
        if twin is not None:
            raise DataError(
                f"{where}: the class names {_shown(twin)} and {_shown(name)} are one folder on some systems",
                details=["they differ only in case, Unicode form or outer blanks"],
                hint=f"rename one of the classes{otherwise}",
            )
        seen[_folded(name).casefold()] = name
    return tuple(names)


def check_folder_names(names: Iterable[str], where: str) -> None:
    """Check that class folders can be told apart, and that their names can be stored in a run.

    Names that differ in case are accepted, as in folders of letters (`A` and `a`).

    Raises:
        DataError: a name is not UTF-8, or two look alike: they differ only in Unicode form or outer blanks.
    """
    seen: dict[str, str] = {}
    for name in names:
        if not is_unicode(name):
            raise DataError(
                f"{where}: the name of the class folder {_shown(name)} is not UTF-8", hint="rename the folder"
            )
        twin = seen.setdefault(_folded(name), name)
        if twin != name:
            raise DataError(
                f"{where}: the class folders {twin!a} and {name!a} look alike",
                details=["their names differ only in Unicode form (é as one character or as two) or outer blanks"],
                hint="move the images of one into the other, or rename it",
            )


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()


def _shown(name: str) -> str:
    return f"'{shorten(printable(name), 100)}'"
