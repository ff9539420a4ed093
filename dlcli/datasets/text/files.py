"""Texts in files of their own, in one folder per class: which there are, and what they say.

Layouts are those of images by class: `train/<class>/`, `test/<class>/` and perhaps `valid/<class>/`, or the class
folders alone. Files may lie in subfolders of their class.

A file is UTF-8, or has a byte order mark. What is neither is read in one encoding, the likeliest for all such files
together, since a single short text says too little.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.errors import DataError, did_you_mean
from dlcli.core.wording import printable
from dlcli.data.card import SPLIT_FOLDERS
from dlcli.data.importing.names import check_folder_names
from dlcli.data.reading.contents import HEAD_BYTES, MARKUP, Foreign, kind_of
from dlcli.data.reading.encodings import (
    UTF8,
    Encoding,
    is_damaged_utf8,
    likely_encodings,
    marked_encoding,
    named_encoding,
)
from dlcli.data.text.rows import BrokenRow, TextRow
from dlcli.data.walking import is_folder, list_files, skipped_note

MAX_BYTES = 64 * 2**20
"""A larger file is not one text: War and Peace has 3 MB."""

_MOST_NUL_SHARE = 0.25  # as in `encodings`
_SAMPLE_BYTES = 2**16


@dataclass(frozen=True)
class TextFile:
    """A file that may hold a text; `name` is relative to the source, for messages."""

    label: str
    path: Path
    name: str


@dataclass(frozen=True)
class FoundTexts:
    """The files of a folder.

    Attributes:
        splits: split -> its files, class by class; "train" alone if the folder has no splits.
        has_splits: whether the folder says what is for training and what for the test.
        notes: what is not read.
    """

    splits: Mapping[str, Sequence[TextFile]]
    has_splits: bool
    notes: tuple[str, ...]


def find_texts(root: Path, suffix: str, classes: Sequence[str] = ()) -> FoundTexts:
    """Return the text files of a folder with a folder for each class, with or without splits.

    Args:
        root: the folder.
        suffix: of the files that hold a text; others are counted.
        classes: the class folders to read; () for all.

    Raises:
        DataError: there are no such files, a wanted class is missing, or two class folders look alike.
    """
    skipped: list[str] = []
    splits, notes = _split_folders(root)
    named = {split: _folders(folder, skipped) for split, folder in splits.items()}
    known = sorted({name for names in named.values() for name in names})
    for name in classes:
        if name not in known:
            raise DataError(f"{root}: no class folder {name[:100]!r}", hint=did_you_mean(name, known))
    wanted = [name for name in known if not classes or name in classes]
    check_folder_names(wanted, str(root))
    others: list[str] = []
    found: dict[str, list[TextFile]] = {}
    for split, folder in splits.items():
        found[split] = []
        for label in (name for name in wanted if name in named[split]):
            for name in list_files(folder / label, skipped):
                path = folder / label / name
                shown = printable(str(path.relative_to(root)))
                if name.lower().endswith(suffix.lower()):
                    found[split].append(TextFile(label, path, shown))
                else:
                    others.append(shown)
    if not any(found.values()):
        raise DataError(
            f"{root}: no {suffix} file in a folder of its class",
            details=[f"{len(others):,} other files, such as {min(others)}"[:300]] if others else [],
            hint="it should hold CLASS/*.txt or train/CLASS/*.txt; another suffix is set with --suffix",
        )
    notes += skipped_note(skipped)
    if others:
        count = "1 file is" if len(others) == 1 else f"{len(others):,} files are"
        notes.append(f"{count} not {suffix}: skipped, the first: {min(others)}"[:300])
    return FoundTexts(found, root not in splits.values(), tuple(notes))


def _split_folders(root: Path) -> tuple[dict[str, Path], list[str]]:
    """Return split -> folder, and notes on folders that are in no split; as `find_layout` does for images.

    A folder called like a split is one only if there are folders in it.
    """
    there = {name.casefold(): root / name for name in _folders(root, [])}
    splits = {split: there[name] for split, names in SPLIT_FOLDERS.items() for name in names[::-1] if name in there}
    if "train" not in splits or not all(_folders(folder, []) for folder in splits.values()):
        return {"train": root}, []
    notes = []
    if "valid" in splits and "test" not in splits:
        notes.append(f"{splits['valid'].name}/ is the only other split: it is used as the test split")
        splits = {"train": splits["train"], "test": splits["valid"]}
    unused = sorted(set(there) - {folder.name.casefold() for folder in splits.values()})
    if unused:
        shown = ", ".join(f"{printable(there[name].name)}/" for name in unused[:3])
        notes.append(f"{len(unused):,} folders beside {splits['train'].name}/ are in no split: {shown}"[:300])
    return splits, notes


def _folders(folder: Path, skipped: list[str]) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if not entry.name.startswith(".") and is_folder(entry, skipped))


class TextFileReader:
    """Reads text files, each in its encoding.

    Args:
        files: all files to read, from which the encoding of those that are not UTF-8 is judged.
        encoding: the name of the encoding of all files; "auto" judges it.
        max_chars: texts are cut off after this many characters; None for whole texts.

    Attributes:
        encoding: that of the files that are not UTF-8; UTF-8 if there are none.
        num_others: how many files that is.
        num_cut: texts that have been cut off.

    Raises:
        UsageError: there is no such encoding.
    """

    def __init__(self, files: Sequence[TextFile], encoding: str, max_chars: int | None) -> None:
        self._max_chars = max_chars
        self._is_named = encoding != "auto"
        self.num_others = self.num_cut = 0
        self.encoding = named_encoding(encoding) if self._is_named else self._judged(files)

    def rows(self, files: Sequence[TextFile]) -> Iterator[TextRow | BrokenRow]:
        """Yield the text of each file, or why it has none."""
        for number, file in enumerate(files, 1):
            try:
                yield TextRow(number, self._text(_content(file.path, self._is_named)), file.label, file.name)
            except ValueError as error:
                yield BrokenRow(number, str(error), file.name)

    def _text(self, data: bytes) -> str:
        """Return the text in the bytes of a file.

        Raises:
            ValueError: they are no text; why.
        """
        marked, faults = marked_encoding(data), []
        for encoding in [marked] if marked else [self.encoding] if self._is_named else [UTF8, self.encoding]:
            try:
                text = data.decode(encoding.codec)
            except UnicodeDecodeError as error:
                faults.append(f"not {encoding.name}: byte {data[error.start]:#04x} at offset {error.start:,}")
                if encoding is UTF8 and is_damaged_utf8(data):
                    break
                continue
            if self._max_chars is not None and len(text) > self._max_chars:
                self.num_cut += 1
                text = text[: self._max_chars]
            return text
        raise ValueError(faults[0])

    def _judged(self, files: Sequence[TextFile]) -> Encoding:
        """Return the likeliest encoding of the files that are not UTF-8: one of all of them, if there is one."""
        others, sample = [], bytearray()
        for file in files:
            try:
                data = _content(file.path)
            except ValueError:
                continue
            if marked_encoding(data) is None and not _is_utf8(data) and not is_damaged_utf8(data):
                others.append(file)
                sample += data[: max(0, _SAMPLE_BYTES - len(sample))]
        self.num_others = len(others)
        if not others:
            return UTF8
        candidates = list({encoding.codec: encoding for encoding in likely_encodings(bytes(sample))}.values())
        return max(candidates, key=lambda encoding: sum(_decodes(file.path, encoding) for file in others))


def _content(path: Path, may_have_nul: bool = False) -> bytes:
    """Return the bytes of a text file; with a named encoding it `may_have_nul`, as UTF-16 does.

    Raises:
        ValueError: it cannot be read, is too large, or is not a text.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None
    if len(data) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES // 2**20} MiB")
    kind = kind_of(data[:HEAD_BYTES])
    if kind is not None and kind not in MARKUP:
        raise ValueError(f"{kind.what if isinstance(kind, Foreign) else f'a {kind} file'}, not text")
    start = data[:_SAMPLE_BYTES]
    if not may_have_nul and marked_encoding(data) is None and start.count(0) > _MOST_NUL_SHARE * len(start):
        raise ValueError("not text: it has NUL bytes")
    return data


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decodes(path: Path, encoding: Encoding) -> bool:
    try:
        codecs.decode(_content(path), encoding.codec)
    except ValueError:  # a UnicodeDecodeError is one
        return False
    return True
