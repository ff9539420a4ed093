"""The texts that arguments and files hold, as sources of a codec. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dlcli.core.errors import DataError
from dlcli.data.codec import TEXT, Source
from dlcli.data.inputs import expand_files
from dlcli.data.text.columns import Reading
from dlcli.data.text.inputs import (
    MAX_CHARACTERS,
    TEXT_SUFFIXES,
    Text,
    is_one_text,
    text_of_argument,
    text_of_file,
    texts_of_document,
    texts_of_file,
)

MAX_SHOWN = 2000
"""Characters of a text that its record repeats."""


def expand_texts(inputs: Iterable[str], reading: Reading | None) -> Iterator[Source]:
    """Yield the texts of the inputs: each is a text itself, or a file, folder or glob that holds texts.

    A file that cannot be read, or an argument like the name of a file that is missing, gives a text with a fault.

    Args:
        inputs: the user's arguments.
        reading: how a file of texts is read; None if nothing is known of it.
    """
    for text in inputs:
        if _may_be_path(text):
            yield from _expand_files(text, reading)
        else:
            yield source_of_text(text_of_argument(text))


def source_of_text(text: Text) -> Source:
    """Return a text as a source, named by its first characters."""
    return Source(text.text if len(text.text) <= MAX_SHOWN else text.text[:MAX_SHOWN] + "…", text)


def _expand_files(text: str, reading: Reading | None) -> Iterator[Source]:
    for name in expand_files([text], TEXT_SUFFIXES):
        path = Path(name)
        if not path.is_file() and path.suffix.lower() not in TEXT_SUFFIXES:
            yield source_of_text(text_of_argument(name))
            continue
        try:
            if reading is not None and is_one_text(path, reading):
                yield Source(name, text_of_file(path, reading))
            else:
                yield from map(source_of_text, texts_of_file(path, reading))
        except DataError as error:
            yield Source(name, Text(name, fault=". ".join([error.message, *error.details[:1]])))


def _may_be_path(text: str) -> bool:
    if not text.strip() or len(text) > 1024 or "\n" in text or "\0" in text:  # Path("") is the current folder
        return False
    try:
        return Path(text).suffix.lower() in TEXT_SUFFIXES or Path(text).exists()
    except (OSError, ValueError):
        return False


class TextValues:
    """Texts from a program; see `dlcli.data.codec.Values`.

    Args:
        reading: how a document of texts is read; None if nothing is known of it.
    """

    kind = TEXT

    def __init__(self, reading: Reading | None) -> None:
        self._reading = reading

    def schema(self) -> dict[str, Any]:
        """Return the schema of a text: itself, or an object whose other fields its record repeats."""
        text = {"type": "string", "maxLength": MAX_CHARACTERS}
        return {"anyOf": [text, {"type": "object", "properties": {"text": text}, "required": ["text"]}]}

    def source(self, name: str, value: Any) -> Source:
        """Return a text as a source, named by its first characters."""
        if isinstance(value, str):
            return source_of_text(Text(value))
        text = value.get("text") if isinstance(value, Mapping) else None
        if isinstance(value, Mapping) and isinstance(text, str):
            return source_of_text(Text(text, {key: each for key, each in value.items() if key != "text"}))
        return Source(name, Text("", fault="neither a text nor an object with a text as its field 'text'"))

    def sources_of_file(self, name: str, data: bytes, most: int | None = None) -> list[Source]:
        """Return the texts of a document, one a line or one in all; see `texts_of_document`."""
        texts = texts_of_document(data, self._reading, most)
        return [source_of_text(text) if text.text else Source(name, text) for text in texts]
