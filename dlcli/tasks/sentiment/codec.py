"""Texts to token ids and logits to labels, without torch: shared by a run and by what is exported from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError, RunError
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Record, Source, pad_sequences
from dlcli.data.encodings import open_text
from dlcli.data.inputs import expand_files
from dlcli.data.labels import label_records, read_labels
from dlcli.data.text.tokenizing.tokenizer import build_tokenizer
from dlcli.data.text.vocabulary import Vocabulary
from dlcli.tasks.inference import ClassInference

TEXT_SUFFIXES = frozenset({".txt", ".jsonl", ".ndjson"})
MAX_CHARACTERS = 1_000_000
"""Of one text: more is a book, or a file without line ends."""

MAX_SHOWN = 2000
"""Characters of a text that a record repeats."""


@dataclass(frozen=True)
class Text:
    """One text to answer for; the value of a source.

    Attributes:
        text: the text.
        kept: what its record repeats of the line that it came in: the other fields of a JSON object.
        fault: why the line holds no text; "" for none.
    """

    text: str
    kept: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""


class TextCodec:
    """See `dlcli.data.codec.Codec`. An input is a text, or a file with one a line: bare, or as JSON with `text`."""

    fields = ("label", "probability")
    listed = "top"

    def __init__(self, assets: Mapping[str, Any], inference: ClassInference | None = None) -> None:
        self.labels = read_labels(assets.get("labels"))
        self.vocabulary = Vocabulary.from_json(assets.get("vocab"))
        self.max_length, spec = read_preprocess(assets.get("preprocess"))
        self.tokenizer = build_tokenizer(spec)
        self.inference = inference or ClassInference()

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield texts: an argument that is a file (or a folder or a glob of files) stands for its lines.

        Raises:
            DataError: a file cannot be read, or an argument looks like the name of one that is not there.
        """
        return map(source_of_line, _expand_lines(inputs))

    def read_lines(self, lines: Sequence[str]) -> list[Source]:
        """Return the texts of lines of standard input, which name no files."""
        return [source_of_line(line) for line in lines]

    def encode(self, source: Source) -> Encoded:
        """Cut one text into tokens and number them."""
        text: Text = source.value
        try:
            tokens = self.words(source)
        except DataError as error:
            return Encoded(source, None, error.message, kept=text.kept)
        ids = self.vocabulary.encode(tokens)
        return Encoded(source, {"tokens": ids, "lengths": np.array(len(ids), dtype=np.int64)}, kept=text.kept)

    def words(self, source: Source) -> list[str]:
        """Return the tokens that the network reads of a text.

        Raises:
            DataError: the source holds no text, or one that is empty or longer than `MAX_CHARACTERS`.
        """
        text: Text = source.value
        if text.fault:
            raise DataError(text.fault)
        if not text.text.strip("\0 \t\r\n"):
            raise DataError("an empty text")
        if len(text.text) > MAX_CHARACTERS:
            raise DataError(f"a text of {len(text.text):,} characters; at most {MAX_CHARACTERS:,} are read")
        return self.tokenizer.tokens(text.text)[: self.max_length]

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Yield one batch, shorter texts padded."""
        return pad_sequences(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return label and probability, and the best of both."""
        del items
        return [Answer(record) for record in label_records(self.labels, outputs["logits"], self.inference.top_k)]

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return the text with its labels under it."""
        from dlcli.visualize.attention import draw_attention

        words = self.words(source) or ["<unk>"]
        label = f"{answer.record['label']} {answer.record['probability']:.1%}"
        return draw_attention(words, np.zeros(len(words)), title="", label=label)


def source_of_line(line: str) -> Source:
    """Return the text of a line, named by its beginning; a fault of the line is the text's."""
    try:
        text, kept = read_line(line)
    except DataError as error:
        return Source(line[:MAX_SHOWN], Text("", fault=error.message))
    return Source(text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…", Text(text, kept))


def read_line(line: str) -> tuple[str, Record]:
    """Return the text of a line and what else its record keeps.

    A JSON object with a `text` is read as one; everything else is the text itself, in UTF-8 or, where its bytes are
    not that, in GB18030.

    Raises:
        DataError: the JSON's text is no string, or the bytes are in neither encoding.
    """
    if not line.isascii():
        line = _repaired(line)
    if line.startswith("{") and line.rstrip().endswith("}"):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return line, {}
        if "text" in value:
            text = value.pop("text")
            if not isinstance(text, str):
                raise DataError("the JSON's `text` is no string")
            return text, {str(name): item for name, item in value.items() if name not in ("input", "error")}
    return line, {}


def _repaired(line: str) -> str:
    try:
        return line.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate of JSON's \\ud800, which stands for no byte
        return line.encode("utf-8", "replace").decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return line.encode("utf-8", "surrogateescape").decode("gb18030")
    except UnicodeDecodeError:
        raise DataError("neither UTF-8 nor GB18030") from None


def _expand_lines(inputs: Iterable[str]) -> Iterator[str]:
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
