"""Finding the image that an annotation names, wherever in the folder it lies, and never outside of it."""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlcli.core.errors import DataError
from dlcli.data.card import SPLIT_FOLDERS
from dlcli.data.images.folders import FOREIGN_SUFFIXES, IMAGE_SUFFIXES

_SUFFIXES = (*IMAGE_SUFFIXES, *FOREIGN_SUFFIXES)
_SPLIT_OF = {name: split for split, names in SPLIT_FOLDERS.items() for name in names}
_SPLIT_OF_WORD = {**_SPLIT_OF, "trainval": "train"}

MAX_JSON_BYTES = 2 * 2**30
"""COCO's training annotations have 450 MB."""


def is_image_name(name: str) -> bool:
    """Return whether a name has the suffix of an image format."""
    return name.lower().endswith(_SUFFIXES)


def base_name(name: str) -> str:
    """Return the part after the last slash or backslash: a path from another machine says nothing here."""
    return re.split(r"[/\\]", name)[-1].strip()


def stem_of(name: str) -> str:
    """Return a name without folders and the suffix of an image, as names are compared (case and Unicode form aside)."""
    base = base_name(name)
    suffix = next((suffix for suffix in _SUFFIXES if base.lower().endswith(suffix)), "")
    return unicodedata.normalize("NFC", base[: len(base) - len(suffix)]).casefold()


def split_of_path(name: str) -> str:
    """Return the split that a folder in a relative path is called by: "train", "valid", "test", or ""."""
    parts = name.lower().split("/")[:-1]
    return next((_SPLIT_OF[part] for part in parts if part in _SPLIT_OF), "")


def split_of_word(text: str) -> str:
    """Return the split that a name speaks of, as `instances_val2017` of "valid"; "" for none."""
    words = re.split(r"[^a-z]+", text.lower())
    return next((_SPLIT_OF_WORD[word] for word in words if word in _SPLIT_OF_WORD), "")


def read_json(path: Path, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Return the values of a JSON file.

    Raises:
        DataError: it cannot be read, is too large, or is no JSON.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise DataError(f"{path}: larger than {max_bytes >> 20:,} MiB")
        return json.loads(data.decode("utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {str(error) or type(error).__name__}", hint="get the file again") from None


class ImageIndex:
    """The images below a folder, found by the names that annotations give them."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        """Index images.

        Args:
            root: the folder.
            names: paths relative to it, with "/".
        """
        self._root = root
        self._by_stem: dict[str, list[str]] = {}
        for name in names:
            self._by_stem.setdefault(stem_of(name), []).append(name)

    def find(self, name: str, near: str = "") -> Path | None:
        """Return the image of a name; None if there is none.

        The suffix may be missing or another one. Of several images of one name, that is returned whose path ends like
        the name, and of those the nearest.

        Args:
            name: as the annotation has it, perhaps with folders of another machine.
            near: path of the annotation, relative to the root.
        """
        found = self.find_name(name, near)
        return None if found is None else self._root / found

    def find_name(self, name: str, near: str = "") -> str | None:
        """Return the path of an image relative to the root; see `find`."""
        found = self._by_stem.get(stem_of(name))
        if not found:
            return None
        if len(found) == 1:
            return found[0]
        *wanted, base = re.split(r"[/\\]", name)
        folders = near.split("/")[:-1]

        def nearness(candidate: str) -> tuple[bool, int, int, int]:
            *parts, own = candidate.split("/")
            end = _num_equal(parts[::-1], wanted[::-1])
            return own == base, end, _num_equal(parts, folders), len(set(parts) & set(folders))

        return max(found, key=nearness)

    def is_elsewhere(self, name: str) -> bool:
        """Return whether there are several images of a name with folders, and none of them in a folder of that name."""
        found, wanted = self._by_stem.get(stem_of(name), []), re.split(r"[/\\]", name)
        return len(wanted) > 1 < len(found) and not any(path.split("/")[-2:-1] == wanted[-2:-1] for path in found)


def _num_equal(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many items two sequences have in common at their beginning."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
