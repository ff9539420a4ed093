"""Texts to token ids and logits to labels, shared by runs and their exports. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, pad_sequences
from dlcli.data.labels import label_records, read_labels
from dlcli.data.text.characters import character_reader
from dlcli.data.text.cleaning import clean_text
from dlcli.data.text.inputs import MAX_CHARACTERS, Text, TextReader
from dlcli.data.text.preprocess import read_max_characters, read_preprocess
from dlcli.data.text.sources import TextValues, expand_texts, source_of_text
from dlcli.data.text.tokenizing.tokenizer import build_tokenizer
from dlcli.data.text.vocabulary import Vocabulary
from dlcli.tasks.inference import ClassInference


class TextCodec:
    """See `dlcli.data.codec.Codec`. An input is a text, or a file of texts (`data/text/inputs.py`)."""

    fields = ("label", "probability")
    listed = "top"

    def __init__(self, assets: Mapping[str, Any], inference: ClassInference | None = None) -> None:
        self.labels = read_labels(assets.get("labels"))
        self.vocabulary = Vocabulary.from_json(assets.get("vocab"))
        self.max_length, spec, self.reading = read_preprocess(assets.get("preprocess"))
        self.tokenizer = build_tokenizer(spec, self.vocabulary.tokens)
        most = read_max_characters(assets.get("preprocess"))
        self._characters = character_reader(spec, most) if most is not None else None
        self._stdin = TextReader(self.reading)
        self.values = TextValues(self.reading)
        self.inference = inference or ClassInference()

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield the texts of the inputs; see `dlcli.data.text.sources.expand_texts`."""
        return expand_texts(inputs, self.reading)

    def read_lines(self, lines: Sequence[str]) -> list[Source]:
        """Return the texts that lines of standard input complete; a line is never read as a file name."""
        return [source_of_text(text) for line in lines for text in self._stdin.feed_bytes(line)]

    def finish_lines(self) -> list[Source]:
        """Return the texts of lines that waited for others; standard input has ended."""
        return [source_of_text(text) for text in self._stdin.close()]

    def encode(self, source: Source) -> Encoded:
        """Return the inputs that one text gives the network, or the reason why it gives none.

        They are its token ids as `tokens`, (T,), and their number as `lengths`, (); for a network that reads characters
        also `characters`, (S,), and `character_lengths`, ().
        """
        text: Text = source.value
        try:
            tokens = self.words(source)
        except DataError as error:
            return Encoded(source, None, error.message, kept=text.kept)
        ids = self.vocabulary.encode(tokens)
        arrays = {"tokens": ids, "lengths": np.array(len(ids), dtype=np.int64)}
        if self._characters is not None:
            codes = self._characters(text.text)
            arrays |= {"characters": codes, "character_lengths": np.array(len(codes), dtype=np.int64)}
        return Encoded(source, arrays, kept=text.kept)

    def words(self, source: Source) -> list[str]:
        """Return the tokens of a text, truncated to the network's maximum length.

        Raises:
            DataError: the source holds no text, or one that is empty or longer than `MAX_CHARACTERS`.
        """
        text: Text = source.value
        if text.fault:
            raise DataError(text.fault)
        if not clean_text(text.text):
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
