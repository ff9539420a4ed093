"""Texts to token ids and logits to labels, without torch: shared by a run and by what is exported from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError, RunError
from dlcli.data.codec import Arrays, Encoded, Record
from dlcli.data.encodings import open_text
from dlcli.data.inputs import expand_files
from dlcli.data.labels import label_records, read_labels
from dlcli.data.text.tokenizing.tokenizer import build_tokenizer
from dlcli.data.text.vocabulary import Vocabulary

TEXT_SUFFIXES = frozenset({".txt", ".jsonl", ".ndjson"})
MAX_CHARACTERS = 1_000_000
"""Of one text: more is a book, or a file without line ends."""

MAX_SHOWN = 2000
"""Characters of a text that a record repeats."""


class TextCodec:
    """See `dlcli.data.codec.Codec`. An input is a text, or a file with one a line: bare, or as JSON with `text`."""

    fields = ("label", "probability")

    def __init__(self, assets: Mapping[str, Any]) -> None:
        self.labels = read_labels(assets.get("labels"))
        self.vocabulary = Vocabulary.from_json(assets.get("vocab"))
        self.max_length, spec = read_preprocess(assets.get("preprocess"))
        self.tokenizer = build_tokenizer(spec)

    def expand(self, inputs: Iterable[str]) -> Iterator[str]:
        """Yield texts: an argument that is a file (or a folder or a glob of files) stands for its lines.

        Raises:
            DataError: a file cannot be read, or an argument looks like the name of one that is not there.
        """
        for text in inputs:
            if not _may_be_path(text):
                yield text
                continue
            for name in expand_files([text], TEXT_SUFFIXES):
                path = Path(name)
                if path.is_file():
                    yield from _lines(path)
                elif path.suffix.lower() in TEXT_SUFFIXES:
                    raise DataError(f"{name}: no such file", hint="a text is given in quotation marks")
                else:
                    yield name

    def encode(self, source: str) -> Encoded:
        """Cut one text into tokens and number them."""
        try:
            text, kept = read_source(source)
            shown = text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
            tokens = self.tokens(text)
        except DataError as error:
            return Encoded(source[:MAX_SHOWN], None, error.message)
        ids = self.vocabulary.encode(tokens)
        return Encoded(shown, {"tokens": ids, "lengths": np.array(len(ids), dtype=np.int64)}, kept=kept)

    def tokens(self, text: str) -> list[str]:
        """Return the tokens that the network reads of a text.

        Raises:
            DataError: the text is empty, or longer than `MAX_CHARACTERS`.
        """
        if not text.strip("\0 \t\r\n"):
            raise DataError("an empty text")
        if len(text) > MAX_CHARACTERS:
            raise DataError(f"a text of {len(text):,} characters; at most {MAX_CHARACTERS:,} are read")
        return self.tokenizer.tokens(text)[: self.max_length]

    def words(self, source: str) -> list[str]:
        """Return the tokens that the network reads of an input."""
        return self.tokens(read_source(source)[0])

    def decode(self, outputs: Arrays, top_k: int) -> list[Record]:
        """Return label and probability, and the `top_k` best of both."""
        return label_records(self.labels, outputs["logits"], top_k)

    def draw(self, source: str, record: Record) -> np.ndarray:
        """Return the text with its labels under it."""
        from dlcli.visualize.attention import draw_attention

        words = self.words(source) or ["<unk>"]
        label = f"{record['label']} {record['probability']:.1%}"
        return draw_attention(words, np.zeros(len(words)), title="", label=label)


def read_source(source: str) -> tuple[str, Record]:
    """Return the text of an input and what else its record keeps.

    A JSON object with a `text` is read as one; everything else is the text itself, in UTF-8 or, where its bytes are
    not that, in GB18030.

    Raises:
        DataError: the JSON's text is no string, or the bytes are in neither encoding.
    """
    if not source.isascii():
        source = _repaired(source)
    if source.startswith("{") and source.rstrip().endswith("}"):
        try:
            value = json.loads(source)
        except (ValueError, RecursionError):
            return source, {}
        if "text" in value:
            text = value.pop("text")
            if not isinstance(text, str):
                raise DataError("the JSON's `text` is no string")
            return text, {str(name): item for name, item in value.items() if name not in ("input", "error")}
    return source, {}


def _repaired(source: str) -> str:
    try:
        return source.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate of JSON's \\ud800, which stands for no byte
        return source.encode("utf-8", "replace").decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return source.encode("utf-8", "surrogateescape").decode("gb18030")
    except UnicodeDecodeError:
        raise DataError("neither UTF-8 nor GB18030") from None


def _may_be_path(text: str) -> bool:
    if not text.strip() or len(text) > 1024 or "\n" in text or "\0" in text:  # Path("") would be the folder here
        return False
    try:
        return Path(text).suffix.lower() in TEXT_SUFFIXES or Path(text).exists()
    except (OSError, ValueError):
        return False


def _lines(path: Path) -> Iterator[str]:
    with open_text(path) as stream:
        for line in stream:
            if line.strip():
                yield line.rstrip("\r\n")


def read_preprocess(value: Any) -> tuple[int, Mapping[str, Any]]:
    """Return how many tokens are read, and the tokenizer's specification, as a run kept them.

    Raises:
        RunError: they are damaged.
    """
    try:
        max_length, spec = value["max_length"], value["tokenizer"]
    except (KeyError, TypeError):
        raise RunError("the preprocessing that came with the model is damaged") from None
    if type(max_length) is not int or not 1 <= max_length <= 100_000 or not isinstance(spec, dict):
        raise RunError("the preprocessing that came with the model is damaged: impossible values")
    return max_length, spec


def preprocess_of(max_length: int, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON value that a run keeps."""
    return {"max_length": max_length, "tokenizer": dict(spec)}
