"""Preparing: converting an original format to a prepared form, all or nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from dlcli.core.config import to_dict
from dlcli.core.errors import DataError
from dlcli.core.files import FULL, file_sha256, hidden_beside, staging_folder, write_json
from dlcli.core.locks import HeldError, hold
from dlcli.core.version import __version__
from dlcli.core.wording import printable
from dlcli.data.card import CARD_NAME, Card, read_card
from dlcli.data.walking import list_files

Report = Callable[[str], None]
"""Prints one line for the user (on stderr)."""

Cut = Callable[[Path, Card, int], Card | None]
"""See `FormSpec.cut`."""

_WAIT_S = 0.2
_LEFTOVER_AGE_S = 24 * 3600
_NOT_OF_THE_FORM = ("download",)  # options that affect how the source is obtained, not the form


class Importer(Protocol):
    """Converts one original format; constructed as `Importer(options)` with its options dataclass.

    An importer of a dataset with an official archive also has `download(folder, report) -> Path`, which downloads the
    archive to `folder` and returns the `source` to pass to `locate`.
    """

    options: Any

    def locate(self, source: Path | None) -> list[Path]:
        """Return the original files under `source`, or a folder whose whole content counts.

        Raises:
            DataError: files are missing; the message lists what was looked for and found, and the page that has them.
        """
        ...

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Write the prepared form into the empty `folder` and return its card (without command and version).

        Raises:
            DataError: a file does not follow its format.
        """
        ...

    def space_needed(self, files: list[Path]) -> int:
        """Return roughly how many bytes the prepared form takes on disk, for the message when the disk is full."""
        ...


def prepare_dataset(
    importer: Importer,
    source: Path | None,
    destination: Path,
    *,
    command: str,
    force: bool,
    report: Report,
    shard_size: int | None = None,
    cut: Cut | None = None,
) -> tuple[Card, bool]:
    """Return the card of the prepared dataset, and whether it had to be written.

    The form is written to a hidden folder next to `destination` and renamed at the end, so a killed run leaves nothing
    incomplete. If `destination` already holds the same form (same source files, same options), nothing is done; a
    different prepared dataset is replaced; any other non-empty folder is refused.

    Args:
        importer: converts the original format.
        source: the original file or folder; None if the importer needs none.
        destination: folder of the prepared form.
        command: the command line, for the card.
        force: write the form even if it is up to date.
        report: prints progress.
        shard_size: items of each file of the packed copy; None does not cut it.
        cut: the function of the form that cuts it.

    Raises:
        DataError: the source is missing or invalid, the disk is full, or `destination` holds something that is not a
            prepared dataset.
    """
    files = importer.locate(source)
    target = destination.resolve()  # if `data/NAME` links to another disk, the folder on that disk is replaced
    for path in [*files, *([source] if source else [])]:
        _refuse_overlap(path, destination)
        if path.exists() and not path.is_file() and not path.is_dir():  # reading a pipe would wait for ever
            raise DataError(f"{path}: not a regular file", hint="save its content in a file first")
    with _alone(target, destination, report), ThreadPoolExecutor(1) as thread:
        _recover_and_clean(target)
        existing = _existing_card(target, destination)
        # hashlib releases the GIL, so the SHA-256 of the source costs no time while images are written.
        sources = thread.submit(_sources, files)
        is_same = existing is not None and existing.details.get("shard_size") == shard_size
        if is_same and existing is not None and not force and _is_same(existing, importer, sources.result()):
            return existing, False
        with _staging(target, destination, lambda: importer.space_needed(files)) as staging:
            card = importer.write(files, staging, report)
            card = _cut(staging, card, shard_size, cut, report)
            card = _complete(card, importer, sources, command)
            write_json(staging / CARD_NAME, card.to_json())
            _take_place(staging, target)
    return card, True


def _cut(folder: Path, card: Card, size: int | None, cut: Cut | None, report: Report) -> Card:
    """Return the card of a folder whose packed copy was cut, if that was asked and there is one."""
    if size is None or cut is None:
        return card
    found = cut(folder, card, size)
    if found is None:
        report("--shard-size changes nothing here: large images, or of different sizes, are read from their own files")
        return dataclasses.replace(card, details={**card.details, "shard_size": size})  # the same command is the same
    return found


@contextmanager
def _alone(target: Path, shown: Path, report: Report) -> Iterator[None]:
    """Prepare in the block while no other process prepares the same folder; wait for one that does."""
    lock = target.with_name(f".{target.name}.lock")
    has_said = False
    with ExitStack() as stack:
        while target.parent.is_dir() and os.access(target.parent, os.W_OK):  # else there is nothing to replace yet
            try:
                stack.enter_context(hold(lock))
                break
            except HeldError as error:
                if not has_said:
                    report(f"{shown}: waiting for {error.holder}, which prepares it")
                has_said = True
                time.sleep(_WAIT_S)
        yield


def options_of(importer: Any) -> dict[str, Any]:
    """Return the importer's options as plain values for the card, without `--download`."""
    return {name: value for name, value in to_dict(importer.options).items() if name not in _NOT_OF_THE_FORM}


def _complete(card: Card, importer: Importer, sources: Future[list[dict[str, Any]]], command: str) -> Card:
    return dataclasses.replace(
        card,
        details={**card.details, "options": options_of(importer)},
        sources=tuple(sources.result()),
        command=command,
        version=__version__,
    )


def _is_same(card: Card, importer: Importer, sources: list[dict[str, Any]]) -> bool:
    return list(card.sources) == sources and card.details.get("options") == options_of(importer)


def _sources(files: Sequence[Path]) -> list[dict[str, Any]]:
    return [_folder_fingerprint(path) if path.is_dir() else _file_fingerprint(path) for path in files]


def _file_fingerprint(path: Path) -> dict[str, Any]:
    return {"file": printable(path.name), "bytes": path.stat().st_size, "sha256": file_sha256(path)}


def _folder_fingerprint(folder: Path) -> dict[str, Any]:
    """Return a folder's fingerprint from its listing (names, sizes, times), since hashing 100,000 photos is slow."""
    digest = hashlib.sha256()
    num_bytes = 0
    for name in sorted(list_files(folder, []), key=lambda name: name.split("/")):
        try:
            facts = os.stat(f"{folder}{os.sep}{name}")  # noqa: PTH116 - half the time of a Path's, which 100,000 files show
        except OSError:  # removed meanwhile
            continue
        num_bytes += facts.st_size
        digest.update(f"{name}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode(errors="surrogatepass"))
    return {"file": f"{printable(folder.name)}/", "bytes": num_bytes, "sha256": digest.hexdigest(), "of": "listing"}


def _refuse_overlap(source: Path, destination: Path) -> None:
    inner, outer = source.resolve(), destination.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise DataError(
            f"{destination}: the prepared dataset and its source {source} overlap",
            hint="choose another folder with --out: nothing is written inside the source",
        )


def _existing_card(target: Path, shown: Path) -> Card | None:
    """Return the card of the prepared dataset at the destination; None if there is nothing or an empty folder.

    Raises:
        DataError: the destination holds anything else.
    """
    if not target.exists():
        return None
    if not target.is_dir():
        raise DataError(f"{shown}: is a file, not a folder", hint="choose another folder with --out")
    try:
        card = read_card(target)
    except DataError as error:
        raise DataError(error.message, hint=f"remove {shown} by hand if it is not needed, and prepare again") from None
    if card is None and any(target.iterdir()):
        raise DataError(
            f"{shown}: holds files, but no prepared dataset (no {CARD_NAME})",
            hint="choose another folder with --out: only prepared datasets are replaced",
        )
    return card


def _recover_and_clean(target: Path) -> None:
    """Remove the leftovers of killed runs next to the destination; restore an old dataset that was only moved aside."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.(\d+)(?:-\w+)?\.(partial|old)")
    if not target.parent.is_dir():
        return
    for path in sorted(target.parent.iterdir()):
        match = pattern.fullmatch(path.name)
        if match is None or not _is_leftover(path, int(match[1])):
            continue
        if match[2] == "old" and not target.exists():
            path.rename(target)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _is_leftover(path: Path, pid: int) -> bool:
    if pid == os.getpid():
        return True
    if os.name == "nt":  # os.kill(pid, 0) would send Ctrl-C there
        return time.time() - path.stat().st_mtime > _LEFTOVER_AGE_S
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


@contextmanager
def _staging(target: Path, shown: Path, space_needed: Callable[[], int]) -> Iterator[Path]:
    """Yield a temporary folder for the new dataset, next to its destination.

    Raises:
        DataError: instead of OSError; if the disk is full, with the space that is needed.
    """
    try:
        with staging_folder(target) as staging, _full_disk_explained(target, shown, space_needed):
            yield staging
    except OSError as error:
        hidden = str(hidden_beside(target, "partial"))
        is_ours = error.filename is None or str(error.filename).startswith(hidden)
        raise DataError(f"{shown if is_ours else error.filename}: {error.strerror or error}") from error


@contextmanager
def _full_disk_explained(target: Path, shown: Path, space_needed: Callable[[], int]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        free = shutil.disk_usage(target.parent).free
        raise DataError(
            f"{shown}: the disk is full",
            details=[f"about {space_needed() / 1e6:,.0f} MB are needed, {free / 1e6:,.0f} MB were left at the end"],
            hint="free some space, or choose a folder on another disk with --out",
        ) from None


def _take_place(staging: Path, target: Path) -> None:
    """Replace the old folder by the new one, and remove the old one afterwards.

    On ext4, creating files after a large removal is several times slower.
    """
    old = hidden_beside(target, "old")
    if not target.exists():
        try:
            staging.rename(target)
        except OSError:
            if not target.exists():  # else another process was faster, in a folder that was new to both
                raise
        else:
            return
    target.rename(old)
    try:
        staging.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
