"""Moving verified files to their destination atomically: all of them or none, and never part of one."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.errors import ExportError, RunError, UsageError
from dlcli.core.files import file_sha256
from dlcli.core.wording import brief
from dlcli.export.folder import read_folder_metadata
from dlcli.export.model_file import (
    CONFIG_JSON,
    MODEL_JSON,
    PAGES,
    WEIGHTS_FILE,
    is_graph_folder,
    is_weights_folder,
)
from dlcli.export.script import is_own

MAX_NAMED = 5
"""Names of files that a message lists."""


@dataclass(frozen=True)
class Published:
    """The published files: their total size, the SHA-256 of the main one, and the file of weights, if separate."""

    bytes: int
    sha256: str
    data_path: Path | None = None


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Convert an OSError inside the block to an ExportError.

    Raises:
        ExportError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        hint = "free some disk space" if is_full else "choose another place with --out"
        raise ExportError(f"{path}: cannot be written: {error.strerror or error}", hint=hint) from None


def check_name(path: Path, usual: str, beside: str) -> None:
    """Check that a file does not get the name of a second one, which its format puts beside it.

    Args:
        path: the file.
        usual: the suffix of the format's files.
        beside: that of the second file; "" if there is none.

    Raises:
        UsageError: it does.
    """
    if beside and path.suffix == beside:
        raise UsageError(
            f"{path}: the weights are written there, beside the file that is named",
            hint=f"name {path.with_suffix(usual).name}",
        )


def check_place(path: Path, *, is_folder: bool) -> None:
    """Check that `path` may be replaced by a file, or with `is_folder` by a folder.

    Raises:
        OSError: it is a folder instead of a file or the reverse, or a folder that no export wrote; the names of its
            content are in the reason.
    """
    if not is_folder:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
    elif path.is_dir():
        # Only an exported folder may be replaced: one named by mistake contains somebody's work.
        if _written_by_export(path) is None and any(path.iterdir()):
            raise FileExistsError(
                errno.EEXIST, f"it is a folder with other content: {_some(file.name for file in path.iterdir())}"
            )
    elif path.exists():
        raise NotADirectoryError(errno.ENOTDIR, "a folder is written, but it is a file")


def _written_by_export(folder: Path) -> set[str] | None:
    """Return the names of the files in a folder that an export wrote; None if no export wrote the folder.

    Its document says so: other programs have a `model.json` (TensorFlow.js) and a `config.json` beside
    `model.safetensors` (Hugging Face's libraries), too.
    """
    try:
        if is_graph_folder(folder):
            entries = read_folder_metadata(folder)["graphs"]
            files = [each["file"] for entry in entries for each in (entry, entry.get("data")) if each is not None]
            names = {MODEL_JSON, *files}
        elif is_weights_folder(folder):
            from dlcli.export.weights_folder import read_config  # it imports torch

            read_config(folder)
            names = {CONFIG_JSON, WEIGHTS_FILE}
        else:
            return None
    except RunError:
        return None
    return names | {name for name in PAGES if is_own(folder / name)}


def _some(names: Iterable[str]) -> str:
    found = sorted(names)
    rest = f" and {len(found) - MAX_NAMED:,} more" if len(found) > MAX_NAMED else ""
    return f"{', '.join(brief(name, 60) for name in found[:MAX_NAMED])}{rest}"


def empty(folder: Path) -> None:
    """Remove the files of a folder."""
    for leftover in folder.iterdir():
        leftover.unlink()


def publish_file(draft: Path, path: Path) -> Published:
    """Move a verified file, preceded by its file of weights if there is one, to `path`."""
    drafts = sorted(draft.parent.iterdir(), key=lambda file: file.name == draft.name)
    places = []
    for file in drafts:
        _sync(file)
        places.append(file.replace(path if file.name == draft.name else path.with_name(file.name)))
    *data_paths, _ = places
    total = sum(place.stat().st_size for place in places)
    return Published(total, file_sha256(path), data_paths[0] if data_paths else None)


def publish_folder(
    folder: Path, drafts: Sequence[Path], content: Mapping[str, Any], path: Path, *, document: str = MODEL_JSON
) -> Published:
    """Move verified files to the folder `path`, replacing an older one; what no export wrote there stays.

    Args:
        folder: the staging folder beside `path`.
        drafts: the files, each in a separate folder inside `folder`, with its file of weights if there is one.
        content: the content of their document.
        path: the destination.
        document: the name of the document that describes them.

    Raises:
        OSError: they cannot be moved, or would replace what no export wrote; `path` is then as it was.
    """
    made = folder / "new.folder"  # with a dot, since no graph's name has one
    made.mkdir()
    for draft in drafts:
        for file in list(draft.parent.iterdir()):
            file.rename(made / file.name)
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    (made / document).write_text(text, encoding="utf-8")
    for file in made.iterdir():
        _sync(file)
    published = Published(sum(file.stat().st_size for file in made.iterdir()), file_sha256(made / document))
    kept = _kept_of(path) if path.exists() else []
    taken = [name for name in kept if os.path.lexists(made / name)]
    if taken:
        raise FileExistsError(errno.EEXIST, f"`dl export` did not write what is there: {_some(taken)}")
    _replace(path, made, folder / "old.folder", kept)
    return published


def _kept_of(folder: Path) -> list[str]:
    """Return the names of what no export wrote in a folder; none writes folders."""
    own = _written_by_export(folder) or set()
    return [file.name for file in folder.iterdir() if file.name not in own or file.is_dir()]


def _replace(path: Path, made: Path, older: Path, kept: Sequence[str]) -> None:
    """Put the folder `made` in the place of `path`, with those files of `path` that are kept; all of that or nothing.

    Args:
        path: the place, where there may be nothing.
        made: the new folder.
        older: a place for the old one, which is thrown away afterwards.
        kept: names in `path`, none of them in `made`.
    """
    try:
        for name in kept:
            (path / name).rename(made / name)
        if path.exists():
            path.rename(older)
        made.rename(path)
    except BaseException:  # also when it is interrupted: what is left in the staging folder is thrown away
        if made.exists():
            if older.exists():
                older.rename(path)
            for name in kept:
                if os.path.lexists(made / name):
                    (made / name).rename(path / name)
        raise


def _sync(file: Path) -> None:
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())  # the bytes before the name, so that a crash leaves no empty file
