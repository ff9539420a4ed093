"""Texts to token ids, and probabilities and tokens to answers, shared by runs and their exports. Torch-free."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, pad_sequences
from dlcli.data.text.characters import text_reader
from dlcli.data.text.cleaning import clean_text
from dlcli.data.text.inputs import MAX_CHARACTERS, Text, TextReader
from dlcli.data.text.preprocess import read_preprocess
from dlcli.data.text.sources import TextValues, expand_texts, source_of_text
from dlcli.data.text.tokenizing.joining import join_tokens
from dlcli.data.text.tokenizing.tokenizer import build_tokenizer
from dlcli.data.text.vocabulary import PAD, UNK, UNK_TOKEN, Vocabulary
from dlcli.tasks.language_model.config import LanguageModelInference

BATCH = 32
"""Texts that are answered together: their logits take a vocabulary for each token."""

END = "<end>"
"""The end of a text, among what may come next."""

NOTHING = Text("")
"""What a text that is made from nothing continues."""


class LanguageCodec:
    """See `dlcli.data.codec.Codec`. An input is a text, or a file of texts (`data/text/inputs.py`)."""

    listed = "next"

    def __init__(self, assets: Mapping[str, Any], inference: LanguageModelInference | None = None) -> None:
        self.inference = inference or LanguageModelInference()
        self.vocabulary = Vocabulary.from_json(assets.get("vocab"))
        self.max_length, spec, self.reading = read_preprocess(assets.get("preprocess"))
        self.tokenizer = build_tokenizer(spec)
        self._read_text = text_reader(spec)
        self._stdin = TextReader(self.reading)
        self.values = TextValues(self.reading)
        self.fields: tuple[str, ...] = ("log_prob", "perplexity", "perplexity_per_character", "unknown")
        self.fields += ("generated",) if self.inference.generate is not None else ()
        self.fields += ("token", "probability") if self.inference.next is not None else ()

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield the texts of the inputs (`dlcli.data.text.sources.expand_texts`); without any, texts to be made."""
        given = list(inputs)
        if not given and self.inference.generate is not None:
            for number in range(self.inference.count):
                yield Source(f"{self.inference.draw_seed}-{number}", NOTHING)
        yield from expand_texts(given, self.reading)

    def read_lines(self, lines: Sequence[str]) -> list[Source]:
        """Return the texts that lines of standard input complete; a line is never read as a file name."""
        return [source_of_text(text) for line in lines for text in self._stdin.feed_bytes(line)]

    def finish_lines(self) -> list[Source]:
        """Return the texts of lines that waited for others; standard input has ended."""
        return [source_of_text(text) for text in self._stdin.close()]

    def encode(self, source: Source) -> Encoded:
        """Return a text's ids as `tokens`, (T,), and `lengths`, (), or the reason why it has none."""
        text: Text = source.value
        try:
            words = [] if text is NOTHING else self.words(text)
            ids = self.vocabulary.numbers(words) if words else []
            self._check(ids)
        except DataError as error:
            return Encoded(source, None, error.message, kept=text.kept)
        arrays = {"tokens": np.array(ids, np.int64), "lengths": np.array(len(ids), np.int64)}
        if self.inference.generate is not None:
            arrays["seeds"] = np.array(self._seed(source, text), np.int64)
        return Encoded(source, arrays, kept=text.kept, context={"words": words, "num_unknown": ids.count(UNK)})

    def words(self, text: Text) -> list[str]:
        """Return the tokens of a text.

        Raises:
            DataError: there is no text, or it is empty or longer than `MAX_CHARACTERS`.
        """
        if text.fault:
            raise DataError(text.fault)
        if not clean_text(text.text):
            raise DataError("an empty text")
        if len(text.text) > MAX_CHARACTERS:
            raise DataError(f"a text of {len(text.text):,} characters, more than {MAX_CHARACTERS:,}")
        return self.tokenizer.tokens(text.text) or [UNK_TOKEN]

    def _check(self, ids: Sequence[int]) -> None:
        """Check that a text can be answered.

        Raises:
            DataError: it is too long, or none of its tokens is known.
        """
        more = self.inference.generate or 0
        if len(ids) + more > self.max_length:
            what = f"a text of {len(ids):,} tokens" + (f" and {more:,} more" if more else "")
            raise DataError(f"{what}: the model reads at most {self.max_length:,}")
        if ids and all(number == UNK for number in ids):
            raise DataError("none of its tokens is known to the model")

    def _seed(self, source: Source, text: Text) -> int:
        """Return the seed of a continuation: a function of `--draw-seed` and the text, or the number of a new text."""
        facts = f"{self.inference.draw_seed}\n{source.name if text is NOTHING else text.text}"
        return int.from_bytes(hashlib.blake2b(facts.encode("utf-8", "replace"), digest_size=6).digest(), "big")

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Yield batches of texts of like length, padded."""
        ranked = sorted(range(len(items)), key=lambda index: -len((items[index].arrays or {})["tokens"]))
        for start in range(0, len(ranked), BATCH):
            indices = ranked[start : start + BATCH]
            for _, arrays in pad_sequences([items[index] for index in indices]):
                yield indices, arrays

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return the probability of each text, and what follows it."""
        return [Answer(self._record(outputs, row, item)) for row, item in enumerate(items)]

    def _record(self, outputs: Arrays, row: int, item: Encoded) -> dict[str, Any]:
        words: list[str] = item.context["words"]
        record: dict[str, Any] = {}
        if words:
            log_probs = np.asarray(outputs["log_probs"][row, : len(words) + 1], np.float64)
            total = float(log_probs.sum())
            num_characters = len(self._read_text(item.source.value.text)) + 1
            record |= {
                "log_prob": round(total, 4),
                "perplexity": round(math.exp(min(-total / len(log_probs), 700.0)), 4),
                "perplexity_per_character": round(math.exp(min(-total / num_characters, 700.0)), 4),
                "tokens": len(words),
                "unknown": item.context["num_unknown"],
                "token_log_probs": [round(value, 4) for value in log_probs.tolist()],
            }
        if "next_ids" in outputs:
            pairs = zip(outputs["next_ids"][row].tolist(), outputs["next_log_probs"][row].tolist(), strict=True)
            record["next"] = [
                {"token": self._shown(number), "probability": round(math.exp(value), 6)} for number, value in pairs
            ]
        if "generated" in outputs:
            said = [self.vocabulary.tokens[number] for number in outputs["generated"][row].tolist() if number != PAD]
            record["generated"] = join_tokens(self.tokenizer.spec["name"], [*words, *said])
        return record

    def _shown(self, number: int) -> str:
        return END if number == PAD else self.vocabulary.tokens[number]

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return a picture of the text, each token the darker the less it was expected, (H, W, 3) uint8."""
        from dlcli.visualize.attention import draw_attention

        words = [END] if source.value is NOTHING else [*self.words(source.value), END]
        surprises = -np.array(answer.record.get("token_log_probs", [0.0]))
        label = answer.record.get("generated") or f"log P = {answer.record['log_prob']:.2f}"
        return draw_attention(words, surprises / max(surprises.max(), 1e-9), title="", label=label)
