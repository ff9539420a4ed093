"""The formats of annotated images by name; to add one, add its module here (see `found` for what it holds)."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

from dlcli.data.annotated.found import Found, Reading

MODULES: Mapping[str, str] = {
    "voc": "dlcli.data.annotated.formats.voc",
    "coco": "dlcli.data.annotated.formats.coco",
    "yolo": "dlcli.data.annotated.formats.yolo",
    "labelme": "dlcli.data.annotated.formats.labelme",
    "boxes-csv": "dlcli.data.annotated.formats.boxes_csv",
    "pennfudan": "dlcli.data.annotated.formats.pennfudan",
}
"""Name -> module, in the order in which a folder is tried."""


class Format(Protocol):
    """A module that reads a format."""

    NAME: str
    SUMMARY: str

    def matches(self, source: Path) -> bool:
        """Return whether this is such a folder or file, quickly and without a fault."""
        ...

    def read(self, source: Path, options: Reading) -> Found:
        """Return what is in it.

        Raises:
            DataError: it is not such a folder or file.
        """
        ...


def get_format(name: str) -> Format:
    """Return the module of a format."""
    return cast(Format, importlib.import_module(MODULES[name]))


def format_of(source: Path) -> Format | None:
    """Return the first format that a folder or file is in; None if it is in none."""
    return next((found for found in map(get_format, MODULES) if found.matches(source)), None)
