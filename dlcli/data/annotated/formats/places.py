"""Where the images and texts of an annotation format are: names in its files are looked up and never followed."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from dlcli.core.errors import DataError
from dlcli.data.annotated.folders import base_name, is_image_name
from dlcli.data.walking import list_files

MAX_TEXT_BYTES = 64 * 2**20
"""Of one annotation file: a labelme file with an embedded photo has 20 MB."""


class ImageFinder:
    """The image files of a folder, found by the names that annotations have for them.

    Only files that a walk of the folder meets can be found, so no name leads out of it.

    Attributes:
        root: the folder.
        names: the names of its images, relative to it with "/", sorted.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names = [name for name in list_files(root, []) if is_image_name(name)]
        self._known = set(self.names)
        self._by_base: dict[str, list[str]] = {}
        for name in self.names:
            self._by_base.setdefault(name.rpartition("/")[2], []).append(name)

    def find(self, name: str, beside: str = "") -> str | None:
        """Return the name, relative to the root, of the image that an annotation refers to, or None.

        Looked up beside the annotation, then in the root, then without its first folders ("/home/ann/data/images/1.jpg"
        as "images/1.jpg"); a bare name may be in any folder, if it is there only once.

        Args:
            name: as it is written, with "/" or "\\\\".
            beside: the folder of the annotation, relative to the root.
        """
        parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".")]
        inner = _joined([*beside.split("/"), *parts])
        if inner in self._known:
            return inner
        parts = [part for part in parts if part != ".."]
        for start in range(len(parts)):
            tail = "/".join(parts[start:])
            if tail in self._known:
                return tail
        found = self._by_base.get(parts[0], []) if len(parts) == 1 else []
        return found[0] if len(found) == 1 else None

    def missing(self, name: str) -> Path:
        """Return the path at which an image that was not found would be, inside the root."""
        return self.root / (base_name(name).replace("\0", "").strip(".")[:200] or "unnamed")


def _joined(parts: list[str]) -> str | None:
    """Return the parts of a path as one name, or None if it leads out of its folder."""
    result: list[str] = []
    for part in parts:
        if part == "..":
            if not result:
                return None
            result.pop()
        elif part:
            result.append(part)
    return "/".join(result)


def is_file(path: Path) -> bool:
    """Return whether this is a file; False for what can be no path, such as a name of 5,000 digits."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_text(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return a UTF-8 text file, without its byte order mark.

    Raises:
        DataError: it cannot be read, is too large, or is not UTF-8; the message is only the reason.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > max_bytes:
        raise DataError(f"larger than {max_bytes / 2**20:.0f} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 (byte {error.start:,})") from None


def number(value: Any) -> float | None:
    """Return a value of JSON or a text as a float, perhaps not finite; None if it is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:  # an integer of 400 digits
        return math.inf
