"""Texts to token ids and logits to labels, shared by runs and their exports. Torch-free."""

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
"""Limit on one text: a longer one is a book, or a file without line breaks."""

MAX_SHOWN = 2000
"""Characters of a text that its record repeats."""


@dataclass(frozen=True)
class Text:
    """One text to classify; the value of a source.

    Attributes:
        text: the text.
        kept: the other fields of the JSON object that held it; its record repeats them.
        fault: why the line holds no text; "" if it does.
    """

    text: str
    kept: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""


class TextCodec:
    """See `dlcli.data.codec.Codec`. An input is a text, or a file with one per line: plain, or as JSON with `text`."""

    fields = ("label", "probability")
    listed = "top"

    def __init__(self, assets: Mapping[str, Any], inference: ClassInference | None = None) -> None:
        self.labels = read_labels(assets.get("labels"))
        self.vocabulary = Vocabulary.from_json(assets.get("vocab"))
        self.max_length, spec = read_preprocess(assets.get("preprocess"))
        self.tokenizer = build_tokenizer(spec)
        self.inference = inference or ClassInference()

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield the texts of the inputs: each is a text itself, or a file, folder or glob whose lines are the texts.

        Raises:
            DataError: a file cannot be read, or an argument looks like the name of a missing file.
        """
        return map(source_of_line, _expand_lines(inputs))

    def read_lines(self, lines: Sequence[str]) -> list[Source]:
        """Return the texts of lines of standard input; a line is never read as a file name."""
        return [source_of_line(line) for line in lines]

    def encode(self, source: Source) -> Encoded:
        """Return the token ids of one text as `tokens`, (T,), and `lengths`, (), or the reason why it has none."""
        text: Text = source.value
        try:
            tokens = self.words(source)
        except DataError as error:
            return Encoded(source, None, error.message, kept=text.kept)
        ids = self.vocabulary.encode(tokens)
        return Encoded(source, {"tokens": ids, "lengths": np.array(len(ids), dtype=np.int64)}, kept=text.kept)

    def words(self, source: Source) -> list[str]:
        """Return the tokens of a text, truncated to the network's maximum length.

        Raises:
            DataError: the source holds no text, or one that is empty or longer than `MAX_CHARACTERS`.
        """
        text: Text = source.value
        if text.fault:
            raise DataError(text.fault)
        if not text.text.strip("\0 \t\r\n"):
            raise DataError("an empty text")
        if len(text.text) > MAX_CHARACTERS:
            raise DataError(f"a text of {len(text.text):,} characters, more than {MAX_CHARACTERS:,}")
        return self.tokenizer.tokens(text.text)[: self.max_length]

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Return a single batch, with shorter texts padded."""
        return pad_sequences(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return label, probability and the top k of each item."""
        del items
        return [Answer(record) for record in label_records(self.labels, outputs["logits"], self.inference.top_k)]

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return a picture of the text with its label below it, (H, W, 3) uint8."""
        from dlcli.visualize.attention import draw_attention

        words = self.words(source) or ["<unk>"]
        label = f"{answer.record['label']} {answer.record['probability']:.1%}"
        return draw_attention(words, np.zeros(len(words)), title="", label=label)


def source_of_line(line: str) -> Source:
    """Return the text of a line as a source, named by its first characters; a fault of the line goes into the text."""
    try:
        text, kept = read_line(line)
    except DataError as error:
        return Source(line[:MAX_SHOWN], Text("", fault=error.message))
    return Source(text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…", Text(text, kept))


def read_line(line: str) -> tuple[str, Record]:
    """Return the text of a line, and the other fields that its record repeats.

    A JSON object with a `text` field is parsed; any other line is the text itself, in UTF-8 or, if its bytes are not
    valid UTF-8, in GB18030.

    Raises:
        DataError: the JSON's text is not a string, or the bytes are valid in neither encoding.
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
                raise DataError("the JSON's `text` is not a string")
            return text, {str(name): item for name, item in value.items() if name not in ("input", "error")}
    return line, {}


def _repaired(line: str) -> str:
    try:
        return line.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate from JSON's \\ud800, which encodes no byte
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
                raise DataError(f"{name}: no such file", hint="put a text in quotation marks")
            else:
                yield name


def _may_be_path(text: str) -> bool:
    if not text.strip() or len(text) > 1024 or "\n" in text or "\0" in text:  # Path("") is the current folder
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
    """Return the maximum number of tokens and the tokenizer's specification from a run's preprocessing.

    Raises:
        RunError: the preprocessing is damaged.
    """
    try:
        max_length, spec = value["max_length"], value["tokenizer"]
    except (KeyError, TypeError):
        raise RunError("the preprocessing that came with the model is damaged") from None
    if type(max_length) is not int or not 1 <= max_length <= 100_000 or not isinstance(spec, dict):
        raise RunError("the preprocessing that came with the model is damaged: impossible values")
    return max_length, spec


def preprocess_of(max_length: int, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the preprocessing as the JSON value stored in a run."""
    return {"max_length": max_length, "tokenizer": dict(spec)}
