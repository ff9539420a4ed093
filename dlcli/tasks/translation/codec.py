"""Sentences to token ids and token ids to translations, shared by runs and their exports. Torch-free."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.core.errors import DataError, RunError, UsageError
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, pad_sequences
from dlcli.data.parallel.languages import is_possible, letters_by_script
from dlcli.data.parallel.tokenizers import UNKNOWN, Tokenizer, tokenizer_from_json
from dlcli.data.text.columns import JSONL, Reading
from dlcli.data.text.inputs import Text, TextReader
from dlcli.data.text.sources import TextValues, expand_texts, source_of_text
from dlcli.tasks.translation.config import TranslationInference

READING = Reading(JSONL, "source")
"""How files of JSON objects are read: as the prepared form's, or with a field `text`."""

MAX_CHARACTERS = 100_000
"""Limit on one input: a longer one is no sentence, and is not cut into tokens."""

BATCH = 64
"""Sentences that are searched together: more only bring padding, as a step is a product of matrices already."""

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_BLANK = "▁"
"""SentencePiece's piece for the beginning of a word."""


class TranslationCodec:
    """See `dlcli.data.codec.Codec`. An input is a sentence, or a file with a sentence on each line."""

    fields = ("translation", "score", "warning")
    listed = "nbest"

    def __init__(self, assets: Mapping[str, Any], inference: TranslationInference | None = None) -> None:
        self.inference = inference or TranslationInference()
        if self.inference.nbest > self.inference.beam:  # runs and exports both pass here
            raise UsageError(
                f"--nbest {self.inference.nbest}: more than the beam of {self.inference.beam} can return",
                hint=f"add --beam {self.inference.nbest}",
            )
        self.source, self.target = read_tokenizers(assets.get("tokenizers"))
        self.max_length = read_max_length(assets.get("preprocess"))
        self._stdin = TextReader(READING)
        self.values = TextValues(READING)

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield the sentences of the inputs; see `dlcli.data.text.sources.expand_texts`."""
        return expand_texts(inputs, READING)

    def read_lines(self, lines: Sequence[str]) -> list[Source]:
        """Return the sentences that lines of standard input complete; a line is never read as a file name."""
        return [source_of_text(text) for line in lines for text in self._stdin.feed_bytes(line)]

    def finish_lines(self) -> list[Source]:
        """Return no sentences: none waits for another line."""
        return [source_of_text(text) for text in self._stdin.close()]

    def encode(self, source: Source) -> Encoded:
        """Return a sentence's ids as `source`, (S,), and `source_lengths`, (), or the reason why it has none."""
        text: Text = source.value
        try:
            ids = self.ids_of(text)
        except DataError as error:
            return Encoded(source, None, error.message, kept=text.kept)
        arrays = {"source": np.array(ids, np.int64), "source_lengths": np.array(len(ids), np.int64)}
        return Encoded(source, arrays, kept=text.kept, context={"warning": self.warning_of(text.text, ids)})

    def ids_of(self, text: Text) -> list[int]:
        """Return the token ids of a sentence.

        Raises:
            DataError: there is none, it is empty or too long, or none of its tokens is known.
        """
        if text.fault:
            raise DataError(text.fault)
        if len(text.text) > MAX_CHARACTERS:
            raise DataError(f"a sentence of {len(text.text):,} characters, more than {MAX_CHARACTERS:,}")
        if not self.source.cleaning.clean(text.text):
            raise DataError("an empty sentence")
        ids = self.source.encode(text.text)
        if len(ids) > self.max_length:
            raise DataError(f"a sentence of {len(ids):,} tokens, more than {self.max_length:,}: cut it at full stops")
        if self._num_unknown(ids) == sum(token != _BLANK for token in self.source.tokens(ids)):
            raise DataError(f"none of its tokens is known: this model translates from {self._direction}")
        return ids

    def warning_of(self, text: str, ids: Sequence[int]) -> str:
        """Return what makes a translation doubtful, the script of another language or unknown tokens; else ""."""
        letters = letters_by_script([text])
        if not is_possible(self.source.cleaning.language, letters):
            return f"not in the script of the source: this model translates from {self._direction}"
        num_unknown = self._num_unknown(ids)
        return f"{num_unknown} of {len(ids)} tokens are unknown" if num_unknown else ""

    @property
    def _direction(self) -> str:
        return f"{self.source.cleaning.language} to {self.target.cleaning.language}"

    def _num_unknown(self, ids: Sequence[int]) -> int:
        """Return how many tokens are unknown, or bytes of characters for which there is no piece."""
        return sum(
            number == UNKNOWN or _BYTE.fullmatch(token) is not None
            for number, token in zip(ids, self.source.tokens(ids), strict=True)
        )

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Yield batches of sentences of like length, padded."""
        ranked = sorted(range(len(items)), key=lambda index: -len((items[index].arrays or {})["source"]))
        for start in range(0, len(ranked), BATCH):
            indices = ranked[start : start + BATCH]
            for _, arrays in pad_sequences([items[index] for index in indices]):
                yield indices, arrays

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return the translations of each sentence, best first, and what makes them doubtful."""
        answers = []
        for tokens, scores, item in zip(outputs["sentences"], outputs["scores"], items, strict=True):
            found = [
                {"translation": self.target.decode(line.tolist()), "score": round(float(score), 4)}
                for line, score in zip(tokens, scores, strict=True)
                if np.isfinite(score)
            ] or [{"translation": "", "score": None}]
            answers.append(Answer({**found[0], "warning": item.context["warning"], "nbest": found}))
        return answers

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return a picture of the sentence with its translation below it, (H, W, 3) uint8."""
        from dlcli.visualize.attention import draw_attention

        tokens = self.source.tokens(self.ids_of(source.value))
        return draw_attention(tokens, np.zeros(len(tokens)), title="", label=answer.record["translation"])


def read_tokenizers(value: Any) -> tuple[Tokenizer, Tokenizer]:
    """Return a run's tokenizers of source and target.

    Raises:
        RunError: they are damaged.
    """
    if not isinstance(value, Mapping) or set(value) != {"source", "target"}:
        raise RunError("the tokenizers that came with the model are damaged", hint="export or train again")
    return tokenizer_from_json(value["source"]), tokenizer_from_json(value["target"])


def read_max_length(value: Any) -> int:
    """Return a run's largest number of tokens.

    Raises:
        RunError: it is damaged.
    """
    length = value.get("max_length") if isinstance(value, Mapping) else None
    if type(length) is not int or not 1 <= length <= 10_000:
        raise RunError("the preprocessing that came with the model is damaged", hint="export or train again")
    return length
