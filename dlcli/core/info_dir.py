"""What the folders of runs and of studies share: a name, a file that says what they are, and their order by start."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from dlcli.core.errors import RunError, UsageError
from dlcli.core.files import numbered_folder
from dlcli.core.installing import UPGRADE
from dlcli.core.wording import is_unicode


class InfoDir(Protocol):
    """A folder with such a file."""

    @property
    def name(self) -> str:
        """The folder's name."""
        ...

    def info(self) -> dict[str, Any]:
        """Return what the file says.

        Raises:
            RunError: it is missing, damaged, or of a newer schema.
        """
        ...


Dir = TypeVar("Dir", bound=InfoDir)


@contextlib.contextmanager
def new_folder(
    place: Path, stem: str, name: str | None, is_taken: Callable[[Path], UsageError], *, reserved: tuple[str, ...] = ()
) -> Iterator[Path]:
    """Create `place/<stem>-<n>` or `place/<name>` for the block to fill; if the block fails, nothing is left.

    Args:
        place: the folder around it, created if needed.
        stem: characters that a folder's name may not have become `_`.
        name: what the user typed; None for the stem with a number.
        is_taken: makes the error for a folder that exists.
        reserved: names that mean something else.

    Raises:
        UsageError: the name is taken, or is not a folder name.
    """
    if name is not None and (name != Path(name).name or name in ("", ".", "..", *reserved) or not is_unicode(name)):
        raise UsageError(f"--name {name!r} is not a folder name", hint="use letters, digits, - and _")
    place.mkdir(exist_ok=True)
    if name is None:
        path = numbered_folder(place, re.sub(r"[^\w.+-]+", "_", stem))
    else:
        path = place / name
        try:
            path.mkdir()
        except FileExistsError:
            raise is_taken(path) from None
    try:
        yield path
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def check_schema(value: Any, path: Path, newest: int, fault: RunError) -> dict[str, Any]:
    """Return the content of such a file if this version can read it.

    Args:
        value: the parsed content.
        path: the file, for the message.
        newest: the highest schema that this version writes.
        fault: what is raised if it is no such content.

    Raises:
        RunError: it is none, or of a newer schema.
    """
    if not isinstance(value, dict) or not isinstance(value.get("schema"), int):
        raise fault
    if value["schema"] > newest:
        raise RunError(f"{path}: written by a newer dl", hint=UPGRADE)
    return value


def readable(folders: Iterable[Dir]) -> list[tuple[Dir, dict[str, Any]]]:
    """Return those of the folders whose file can be read, with its content, by start and then by name."""
    found: list[tuple[Dir, dict[str, Any]]] = []
    for folder in folders:
        with contextlib.suppress(RunError):
            found.append((folder, folder.info()))
    return sorted(found, key=_start)


def _start(pair: tuple[InfoDir, Mapping[str, Any]]) -> tuple[str, str]:
    folder, info = pair
    return str(info.get("started", "")), folder.name
