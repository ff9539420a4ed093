"""Moving verified files to their destination atomically: all of them or none, and never part of one."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.errors import ExportError, UsageError
from dlcli.core.files import file_sha256
from dlcli.export.model_file import MODEL_JSON, is_graph_folder, is_weights_folder


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


def check_place(path: Path, *, is_folder: bool) -> None:
    """Check that `path` may be replaced by a file, or with `is_folder` by a folder.

    Raises:
        OSError: it is a folder instead of a file or the reverse, or a folder that no export wrote.
    """
    if not is_folder:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
    elif path.is_dir():
        # Only an exported folder may be replaced: one named by mistake contains somebody's work.
        if any(path.iterdir()) and not is_graph_folder(path) and not is_weights_folder(path):
            raise FileExistsError(errno.EEXIST, "it is a folder with other content")
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


    elif path.exists():
        raise NotADirectoryError(errno.ENOTDIR, "a folder is written, but it is a file")


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
    """Move verified files to the folder `path`, replacing an older one.

    Args:
        folder: the staging folder beside `path`.
        drafts: the files, each in a separate folder inside `folder`, with its file of weights if there is one.
        content: the content of their document.
        path: the destination.
        document: the name of the document that describes them.
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
    older = folder / "old.folder"
    if path.exists():
        path.rename(older)
    try:
        made.rename(path)
    except OSError:
        if older.exists():
            older.rename(path)
        raise
    return published


def _sync(file: Path) -> None:
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())  # the bytes before the name, so that a crash leaves no empty file
