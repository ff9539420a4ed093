"""The torch-free half of the toy translation: its form, its options, its codec, its search and its metric.

A sentence is words set apart by blanks, and its translation the same words backwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.config import option
from dlcli.core.errors import DataError, UsageError
from dlcli.core.registry import Network
from dlcli.data.card import Card
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, pad_sequences
from dlcli.data.importing.preparing import Report
from dlcli.data.text.beam import Limits, beam_search, reorder_arrays

PAD, START, END = 0, 1, 2
VOCAB_SIZE, MAX_LENGTH = 23, 7
WORDS = ("<pad>", "<start>", "<end>", *(f"w{number}" for number in range(3, VOCAB_SIZE)))
SIZES = {"train": 48, "test": 8}

NETWORKS: Mapping[str, Network] = {"attention": Network("toys.seq:Step", "an encoder, and a step that attends", "none")}


@dataclass(frozen=True)
class TranslationConfig:
    """The task's own options."""

    model: str = option("attention", "the network", choices=tuple(NETWORKS))


@dataclass(frozen=True)
class SeqInference:
    """How sentences are searched."""

    beam: int = option(4, "hypotheses that are followed at a time", minimum=1)
    num_best: int = option(2, "sentences that are answered", minimum=1)


@dataclass(frozen=True)
class PairsOptions:
    """The dataset has no options."""


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults of a training."""
    del dataset, given, data
    return {"learning_rate": 0.02, "schedule": "linear"}


class PairsImporter:
    """See `dlcli.data.importing.preparing.Importer`; the sentences are made here."""

    def __init__(self, options: PairsOptions) -> None:
        self.options = options

    def locate(self, source: Path | None) -> list[Path]:
        """Return no files."""
        del source
        return []

    def space_needed(self, files: list[Path]) -> int:
        """Return about how many bytes the sentences take."""
        del files
        return 50 * sum(SIZES.values())

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Write SPLIT.json with pairs of sentences."""
        del files, report
        random = np.random.default_rng(0)
        for split, count in SIZES.items():
            sentences = [random.choice(WORDS[3:], random.integers(1, 6)).tolist() for _ in range(count)]
            pairs = [[" ".join(words), " ".join(words[::-1])] for words in sentences]
            (folder / f"{split}.json").write_text(json.dumps(pairs), encoding="utf-8")
        return Card("toy-pairs", "toy-pairs", (), {}, items=SIZES)


def open_pairs(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Return split -> pairs of sentences.

    Raises:
        DataError: a file is missing or damaged.
    """
    try:
        return {
            split: [(str(one), str(other)) for one, other in json.loads((folder / f"{split}.json").read_text("utf-8"))]
            for split in SIZES
        }
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{folder}: {error}", hint="dl prepare toy-pairs") from None


def tokens_of(text: str, words: Sequence[str] = WORDS) -> np.ndarray:
    """Return the numbers of a sentence's words, (T,) int64.

    Raises:
        ValueError: it has none, or one that is unknown.
    """
    unknown = [word for word in text.split() if word not in words]
    if unknown or not text.split():
        raise ValueError(f"no word {unknown[0]!r}" if unknown else "no words")
    return np.array([words.index(word) for word in text.split()], np.int64)


class SentenceCodec:
    """See `dlcli.data.codec.Codec`. The value of a source is the sentence."""

    fields = ("text", "score")
    listed = "nbest"

    def __init__(self, assets: Mapping[str, Any], inference: SeqInference | None = None) -> None:
        if inference is not None and inference.num_best > inference.beam:  # runs and exports both pass here
            raise UsageError(f"--num-best {inference.num_best}: a beam of {inference.beam} finds fewer")
        self.words = tuple(map(str, assets["words"]))

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield the sentences."""
        return (Source(text, text) for text in inputs)

    def encode(self, source: Source) -> Encoded:
        """Look up the words."""
        try:
            tokens = tokens_of(source.value, self.words)
        except ValueError as error:
            return Encoded(source, None, f"{source.name}: {error}")
        return Encoded(source, {"tokens": tokens, "lengths": np.array(len(tokens), np.int64)})

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Yield one batch of padded sentences."""
        return pad_sequences(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return the sentences that were found, the best first."""
        answers = []
        for row in range(len(items)):
            found = [
                {"text": self.text_of(tokens), "score": round(float(score), 6)}
                for tokens, score in zip(outputs["sentences"][row], outputs["scores"][row], strict=True)
                if np.isfinite(score)
            ]
            answers.append(Answer({**found[0], "nbest": found}))
        return answers

    def text_of(self, tokens: np.ndarray) -> str:
        """Return the sentence of (MAX_LENGTH,) numbers."""
        return " ".join(self.words[token] for token in tokens.tolist() if token != PAD)

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return a picture of the sentence and what was found."""
        from dlcli.visualize.canvas import annotate

        blank = np.full((40, 200, 3), 255, np.uint8)
        return annotate(blank, [source.name, *(entry["text"] for entry in answer.record["nbest"])])


def search(
    graphs: Mapping[str, Callable[[Arrays], Arrays]], arrays: Arrays, inference: SeqInference
) -> dict[str, np.ndarray]:
    """Return the sentences that are found.

    Args:
        graphs: "encoder" and "step".
        arrays: `tokens` (B, T) int64 and `lengths` (B,) int64.
        inference: the width of the beam and how many sentences it gives.

    Returns:
        `sentences` (B, num_best, MAX_LENGTH) int64, padded; `scores` (B, num_best), -inf where there is none.
    """
    memory = graphs["encoder"]({"tokens": arrays["tokens"], "lengths": arrays["lengths"]})["memory"]
    num_sentences = len(memory)
    state = {
        "memory": memory,
        "lengths": arrays["lengths"],
        "past": np.zeros((num_sentences, 1, memory.shape[2]), np.float32),
    }

    def step(tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, np.ndarray, Arrays]:
        outputs = graphs["step"]({"last": tokens, **state})
        return outputs["scores"], outputs["ids"], {**state, "past": outputs["new_past"]}

    limits = Limits(START, END, MAX_LENGTH, beam=inference.beam, num_best=inference.num_best)
    found = beam_search(step, reorder_arrays, state, num_sentences=num_sentences, limits=limits)
    sentences = np.full((num_sentences, inference.num_best, MAX_LENGTH), PAD, np.int64)
    scores = np.full((num_sentences, inference.num_best), -np.inf, np.float32)
    for row, hypotheses in enumerate(found):
        for place, hypothesis in enumerate(hypotheses):
            sentences[row, place, : len(hypothesis.tokens)] = hypothesis.tokens
            scores[row, place] = hypothesis.score
    return {"sentences": sentences, "scores": scores}


class TranslationScore:
    """See `dlcli.engine.task.Metric`: a loss after forced words, or the share of searched sentences that are right.

    Outputs are `losses` (B,) and `num_tokens` (B,), or `sentences` (B, num_best, MAX_LENGTH).
    """

    def __init__(self) -> None:
        self._loss, self._num_tokens, self._num_right, self._num_sentences = 0.0, 0, 0, 0

    def update(self, batch: Mapping[str, Any], outputs: Arrays) -> None:
        """Take in `targets` (B, S), and what was answered."""
        if "losses" in outputs:
            self._loss += float(outputs["losses"].sum())
            self._num_tokens += int(outputs["num_tokens"].sum())
            return
        for target, sentence in zip(batch["targets"], outputs["sentences"][:, 0], strict=True):
            self._num_right += target[(target != PAD) & (target != END)].tolist() == sentence[sentence != PAD].tolist()
            self._num_sentences += 1

    def merge(self, other: TranslationScore) -> None:
        """Take in what another process has seen."""
        self._loss, self._num_tokens = self._loss + other._loss, self._num_tokens + other._num_tokens
        self._num_right += other._num_right
        self._num_sentences += other._num_sentences

    def compute(self) -> dict[str, float]:
        """Return the figures that can be measured by what came."""
        if self._num_tokens:
            return {"loss": self._loss / self._num_tokens}
        return {"exact": self._num_right / max(self._num_sentences, 1)}

    def report(self) -> dict[str, Any]:
        """Return the figures, and which are better when lower."""
        figures = self.compute()
        return {"metrics": figures, "lower_is_better": [name for name in figures if name == "loss"]}
