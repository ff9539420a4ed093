"""Sums of words to token ids and cosines to the nearest words, shared by runs and their exports. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.core.console import shorten
from dlcli.core.errors import DataError, RunError
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, pad_sequences
from dlcli.data.text.cleaning import clean_text
from dlcli.data.text.columns import Reading
from dlcli.data.text.inputs import Text, TextReader
from dlcli.data.text.sources import TextValues, expand_texts, source_of_text
from dlcli.data.text.tokenizing.tokenizer import build_tokenizer
from dlcli.data.text.vocabulary import SPECIALS, UNK, Vocabulary
from dlcli.tasks.embedding.config import EmbeddingInference

SIGNS = {"+": 1.0, "-": -1.0, "−": -1.0}
MAX_WORDS = 1000
MAX_CHARACTERS = 10_000
MAX_COUNT = 2**62


class WordCodec:
    """See `dlcli.data.codec.Codec`. An input is a word, or a sum of words such as "king - man + woman"."""

    fields = ("word", "cosine")
    listed = "nearest"

    def __init__(self, assets: Mapping[str, Any], inference: EmbeddingInference | None = None) -> None:
        self.vocabulary = Vocabulary.from_json(assets.get("vocab"))
        self.counts = read_counts(assets.get("counts"), len(self.vocabulary))
        spec, self.reading = read_preprocess(assets.get("preprocess"))
        self.tokenizer = build_tokenizer(spec)
        self.inference = inference or EmbeddingInference()
        self._stdin = TextReader(self.reading)
        self.values = TextValues(self.reading)

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield the sums of the inputs; see `dlcli.data.text.sources.expand_texts`."""
        return expand_texts(inputs, self.reading)

    def read_lines(self, lines: Sequence[str]) -> list[Source]:
        """Return the sums that lines of standard input hold."""
        return [source_of_text(text) for line in lines for text in self._stdin.feed_bytes(line)]

    def finish_lines(self) -> list[Source]:
        """Return the texts of lines that waited for others; standard input has ended."""
        return [source_of_text(text) for text in self._stdin.close()]

    def encode(self, source: Source) -> Encoded:
        """Return `tokens`, (T,) int64, and `signs`, (T,) float32, of a sum, or the reason why it has none."""
        text: Text = source.value
        try:
            tokens, signs = self._terms(text)
        except DataError as error:
            return Encoded(source, None, error.message, kept=text.kept)
        return Encoded(source, {"tokens": tokens, "signs": signs}, kept=text.kept)

    def _terms(self, text: Text) -> tuple[np.ndarray, np.ndarray]:
        """Return the words of a sum and their factors.

        Raises:
            DataError: there are none or too many, one has no vector, or they cancel each other.
        """
        if text.fault:
            raise DataError(text.fault)
        if len(text.text) > MAX_CHARACTERS:
            raise DataError(f"a sum of {len(text.text):,} characters, more than {MAX_CHARACTERS:,}")
        numbers: list[int] = []
        signs: list[float] = []
        sign = 1.0
        for part in clean_text(text.text).split():
            if part in SIGNS:
                sign = SIGNS[part]
                continue
            own = self._numbers(part)
            numbers += own
            signs += [sign] * len(own)
            sign = 1.0
        if not numbers:
            raise DataError("no word: name one, or a sum such as 'king - man + woman'")
        if len(numbers) > MAX_WORDS:
            raise DataError(f"a sum of {len(numbers):,} words, more than {MAX_WORDS:,}")
        if not np.bincount(numbers, signs).any():
            raise DataError("the words cancel each other")
        return np.array(numbers, np.int64), np.array(signs, np.float32)

    def _numbers(self, part: str) -> list[int]:
        """Return the ids of a word, or of the words that the tokenizer finds in it.

        Raises:
            DataError: one of them has no vector.
        """
        whole = self.vocabulary.numbers([part])
        words, numbers = [part], whole
        if whole == [UNK]:
            words = self.tokenizer.tokens(part)
            numbers = self.vocabulary.numbers(words) if words else []
        for word, number in zip(words, numbers, strict=True):
            if not self.counts[number]:
                raise DataError(f"no vector for {shorten(word, 100)!r}: it is too rare in the training texts")
        return numbers

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Return a single batch, with shorter sums padded by words of the factor 0."""
        return pad_sequences(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return the words nearest to each sum, without those in it."""
        answers = []
        for cosines, item in zip(outputs["cosines"], items, strict=True):
            assert item.arrays is not None
            nearest = self.nearest(cosines, item.arrays["tokens"], self.inference.top_k)
            first = nearest[0] if nearest else {"word": None, "cosine": None}
            answers.append(Answer({**first, "nearest": nearest}))
        return answers

    def nearest(self, cosines: np.ndarray, tokens: np.ndarray, count: int) -> list[dict[str, Any]]:
        """Return the words with a vector of the largest cosines, at most `count`, without some.

        Args:
            cosines: (V,) with every word.
            tokens: the words that are left out.
            count: how many.
        """
        is_answer = self.counts > 0
        is_answer[tokens] = False
        candidates = np.flatnonzero(is_answer)
        order = np.argsort(-cosines[candidates], kind="stable")[:count]
        return [
            {"word": self.vocabulary.tokens[number], "cosine": round(float(cosines[number]), 6)}
            for number in candidates[order].tolist()
        ]

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return a picture of the nearest words, coloured by their cosine, (H, W, 3) uint8."""
        from dlcli.visualize.attention import draw_attention

        nearest = answer.record["nearest"] or [{"word": "<unk>", "cosine": 0.0}]
        cosines = np.clip([each["cosine"] for each in nearest], 0, None)
        label = f"nearest words, cosine {nearest[0]['cosine']:.2f} to {nearest[-1]['cosine']:.2f}"
        return draw_attention([each["word"] for each in nearest], cosines, title=source.name[:200], label=label)


def read_counts(value: Any, vocab_size: int) -> np.ndarray:
    """Return how often each word occurred in training, (V,) int64; 0 for a word without a vector.

    Raises:
        RunError: they are damaged, or no word has a vector.
    """
    is_list = isinstance(value, list) and len(value) == vocab_size
    if not is_list or not all(type(count) is int and 0 <= count < MAX_COUNT for count in value):
        raise RunError("the counts of words that came with the model are damaged")
    counts = np.array(value, np.int64)
    if counts[: len(SPECIALS)].any() or not counts.any():
        raise RunError("the counts of words that came with the model are damaged: impossible values")
    return counts


def read_preprocess(value: Any) -> tuple[Mapping[str, Any], Reading | None]:
    """Return the tokenizer's specification, and how the file of texts was read, if known.

    Raises:
        RunError: the preprocessing is damaged.
    """
    spec = value.get("tokenizer") if isinstance(value, Mapping) else None
    if not isinstance(spec, Mapping):
        raise RunError("the preprocessing that came with the model is damaged")
    return spec, Reading.from_json(value.get("reading"))


def preprocess_of(spec: Mapping[str, Any], reading: Reading | None) -> dict[str, Any]:
    """Return the preprocessing as the JSON value stored in a run."""
    return {"tokenizer": dict(spec), **({"reading": reading.to_json()} if reading is not None else {})}
