"""What a file is, by its first bytes: text, something that holds a text, or something else, which is named with advice.

A file compressed with gzip, a zip archive of one file and an Excel workbook of one sheet are read as the text in them.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dlcli.core.errors import DataError
from dlcli.data.importing.gzips import open_decompressed
from dlcli.data.reading.workbook import workbook_as_csv

HEAD_BYTES = 4096

GZIP, ZIP = "gzip", "zip"
"""Kinds that may hold a text."""

_WORKBOOK = "xl/workbook.xml"  # what is in every .xlsx file

_AS_CSV = "save or export it as CSV"
_DECOMPRESS = "decompress it first"
_PANDAS = "convert it: python -c \"import pandas; pandas.read_{}('{{name}}').to_csv('table.csv', index=False)\""


@dataclass(frozen=True)
class Foreign:
    """A kind of file that is not text.

    Attributes:
        what: its name, with an article.
        advice: how to make a text of it; `{name}` is replaced by the file's name.
    """

    what: str
    advice: str


_IMAGE = "a text task reads text files; for images, use `dl prepare image-folder FOLDER`"

_MAGICS: tuple[tuple[bytes, Foreign], ...] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Foreign("an old Excel or Word file (.xls, .doc)", _AS_CSV)),
    (b"PAR1", Foreign("a Parquet file", _PANDAS.format("parquet"))),
    (b"ARROW1", Foreign("an Arrow file (Feather)", _PANDAS.format("feather"))),
    (b"\x89HDF\r\n\x1a\n", Foreign("an HDF5 file", _PANDAS.format("hdf"))),
    (b"SQLite format 3\0", Foreign("an SQLite database", "export the table as CSV")),
    (b"\x93NUMPY", Foreign("a NumPy array (.npy)", "save it as CSV with numpy.savetxt")),
    (b"BZh", Foreign("a file compressed with bzip2", _DECOMPRESS)),
    (b"\xfd7zXZ\0", Foreign("a file compressed with xz", _DECOMPRESS)),
    (b"\x28\xb5\x2f\xfd", Foreign("a file compressed with zstd", _DECOMPRESS)),
    (b"7z\xbc\xaf\x27\x1c", Foreign("a 7-Zip archive", "unpack it first")),
    (b"Rar!\x1a\x07", Foreign("a RAR archive", "unpack it first")),
    (b"%PDF-", Foreign("a PDF", "copy or convert its text to a text file")),
    (b"{\\rtf", Foreign("an RTF document", "save it as plain text")),
    (b"\x89PNG\r\n\x1a\n", Foreign("a PNG image", _IMAGE)),
    (b"\xff\xd8\xff", Foreign("a JPEG image", _IMAGE)),
    (b"GIF87a", Foreign("a GIF image", _IMAGE)),
    (b"GIF89a", Foreign("a GIF image", _IMAGE)),
    (b"II*\0", Foreign("a TIFF image", _IMAGE)),
    (b"MM\0*", Foreign("a TIFF image", _IMAGE)),
    (b"\x7fELF", Foreign("a program", "is this the right file?")),
)
_PICKLE = Foreign("a Python pickle", "a pickle can run code and is not read; save the data as CSV or JSON Lines")
_HTML = Foreign("an HTML page", "a download may have returned a page in place of the file: open it in a browser")
_XML = Foreign("an XML document", "convert it to CSV or JSON Lines")
MARKUP = (_HTML, _XML)
"""Kinds that are text nevertheless, where a file may hold any text."""

_JSON_ARRAY = Foreign("one JSON array, not one object per line", "convert it: jq -c '.[]' {name} > data.jsonl")


def kind_of(head: bytes) -> str | Foreign | None:
    """Return what a file that begins with these bytes is: GZIP or ZIP, a `Foreign`, or None if it may be text.

    Args:
        head: the first bytes, `HEAD_BYTES` of them if the file is long enough.
    """
    if head.startswith(b"\x1f\x8b"):
        return GZIP
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ZIP
    for magic, foreign in _MAGICS:
        if head.startswith(magic):
            return foreign
    if head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return _PICKLE
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return Foreign("a WebP image", _IMAGE)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return _HTML
    return _XML if start.startswith(b"<?xml") else None


def is_json_array(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is a JSON array of objects, so that no line is an object."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return start[:1] == b"[" and start[1:].lstrip()[:1] == b"{"


def refuse_json_array(path: Path) -> None:
    """Raise a DataError if the file is a JSON array of objects.

    Raises:
        DataError: it is.
    """
    with open_bytes(path) as stream:
        if is_json_array(stream.read(HEAD_BYTES)):
            raise _refused(path, _JSON_ARRAY)


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open the text in a file as bytes: the file itself, decompressed, unpacked, or the workbook's sheet as CSV.

    Raises:
        DataError: the file cannot be read, is no text and holds none, or is damaged.
    """
    kind = _kind_of_file(path)
    if isinstance(kind, Foreign):
        raise _refused(path, kind)
    try:
        if kind == ZIP:
            with _open_zip(path) as stream:
                yield stream
        else:
            with open_decompressed(path, hint="decompress it again, or copy it again") as stream:
                yield stream
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path}: cannot be unpacked: {error}", hint="unpack it first, or copy it again") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None


def suffix_of_text(path: Path) -> str:
    """Return the suffix of the text in a file, in lower case: `.csv` of `t.csv.gz`, of a zip of `t.csv`, of a workbook.

    Raises:
        DataError: the file cannot be read, or is a damaged archive.
    """
    kind = _kind_of_file(path)
    if kind == GZIP:
        return (Path(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()
    if kind != ZIP:
        return path.suffix.lower()
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive)
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: cannot be unpacked: {error}", hint="unpack it first, or copy it again") from None
    return ".csv" if _WORKBOOK in members else Path(members[0]).suffix.lower() if members else ""


def _members(archive: zipfile.ZipFile) -> list[str]:
    """Return the names of the files in an archive, without those that macOS adds."""
    return [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]


def _kind_of_file(path: Path) -> str | Foreign | None:
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise DataError(f"{path}: not a regular file", hint="save its content in a file first")
        with path.open("rb") as stream:
            return kind_of(stream.read(HEAD_BYTES))
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(f"{path}: {reason}", hint="check the file's name") from None


def _refused(path: Path, foreign: Foreign) -> DataError:
    return DataError(f"{path}: is {foreign.what}, not text", hint=foreign.advice.replace("{name}", path.name))


@contextmanager
def _open_zip(path: Path) -> Iterator[IO[bytes]]:
    """Open the only file in an archive, or the only sheet of a workbook.

    Raises:
        DataError: there are several or none, or the file in it is no text.
    """
    with zipfile.ZipFile(path) as archive:
        members = _members(archive)
        if _WORKBOOK in members:
            yield io.BytesIO(workbook_as_csv(path))
            return
        if not {"mimetype", "word/document.xml", "ppt/presentation.xml"}.isdisjoint(members):
            raise _refused(path, Foreign("an office document", _AS_CSV))
        if len(members) != 1:
            shown = ", ".join(members[:5]) + (", ..." if len(members) > 5 else "")
            raise DataError(
                f"{path}: is a zip archive of {len(members)} files",
                details=[f"found: {shown}"[:200]] if members else [],
                hint="unpack it, and name the file",
            )
        try:
            with archive.open(members[0]) as stream:
                kind = kind_of(stream.read(HEAD_BYTES))
        except (RuntimeError, NotImplementedError) as error:  # encrypted, or compressed by an unknown method
            raise DataError(f"{path}: cannot be unpacked: {error}"[:300], hint="unpack it first") from None
        if kind is not None:
            what = kind.what if isinstance(kind, Foreign) else f"{kind} file"
            raise DataError(f"{path}: the file in it, {members[0][:100]}, is {what}, not text", hint="unpack it first")
        with archive.open(members[0]) as stream:
            yield stream
