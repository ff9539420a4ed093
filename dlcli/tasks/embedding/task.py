"""Word vectors: the network, the loss of negative sampling, the texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from dlcli.core.errors import DataError, UsageError, did_you_mean
from dlcli.core.registry import load_object
from dlcli.core.table import Table
from dlcli.core.train_config import TrainConfig, read_optimizer
from dlcli.data.card import Card
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parts import at_hand
from dlcli.data.text.columns import Reading
from dlcli.data.text.form import open_texts
from dlcli.data.text.tokenizing.tokenizer import make_spec
from dlcli.data.text.vocabulary import SPECIALS, Vocabulary
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.task import Batch, Goal, Loader, Outputs, Update, check_sizes, refuse_weights
from dlcli.export.plan import PARITY_BATCHES, ExportPlan, cut_samples, single_graph
from dlcli.metrics.word_pairs import WordPairMetric
from dlcli.models.text.word_vectors import WordVectors, pair_losses
from dlcli.tasks.embedding.codec import preprocess_of, read_counts, read_preprocess
from dlcli.tasks.embedding.config import EmbeddingConfig
from dlcli.tasks.embedding.networks import NETWORKS
from dlcli.tasks.embedding.source import WordSource

NUM_SHOWN, NUM_NEAREST = 20, 6
"""Frequent words whose neighbours an evaluation shows, and how many."""

NUM_SKIPPED = 50
"""The most frequent words, which are marks and particles without neighbours of interest, are not shown."""


class EmbeddingTask:
    """See `dlcli.engine.task.Task`; for a batch see `WordSource.loader`."""

    inputs = ("tokens", "signs")
    outputs = ("vectors", "cosines")
    goal = Goal("auc", larger_is_better=True)

    def __init__(
        self,
        config: EmbeddingConfig,
        train: TrainConfig,
        vocabulary: Vocabulary,
        counts: np.ndarray,
        tokenizer: Mapping[str, Any],
        reading: Reading | None,
        source: WordSource | None,
    ) -> None:
        self._config = config
        self._train = train
        self.vocabulary = vocabulary
        self.counts = counts
        self._tokenizer = tokenizer
        self._reading = reading
        self._source = source
        self.model: nn.Module = build_network(config, train, counts)

    @classmethod
    def from_data(cls, config: EmbeddingConfig, train: TrainConfig, data: Path) -> EmbeddingTask:
        """Return the task with new vectors for the words of prepared texts.

        Raises:
            DataError: the texts cannot be read, or no word occurs often enough.
            UsageError: there is no such network.
        """
        form = open_texts(data)
        vocabulary = form.vocabulary()
        source = WordSource(form, vocabulary.tokens, config, train)
        counts = source.counts()
        if np.count_nonzero(counts) < 2:
            raise DataError(
                f"{data}: fewer than two words occur {config.min_count} times in the training texts",
                hint="use a lower --min-count, or more texts",
            )
        reading = Reading.from_json(form.card.details.get("reading"))
        return cls(config, train, vocabulary, counts, form.tokenizer_spec(), reading, source)

    @classmethod
    def from_assets(
        cls, config: EmbeddingConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> EmbeddingTask:
        """Return the task of a run from its assets.

        Raises:
            RunError: an asset is damaged.
            DataError: the data cannot be read.
        """
        vocabulary = Vocabulary.from_json(assets.get("vocab"))
        counts = read_counts(assets.get("counts"), len(vocabulary))
        tokenizer, reading = read_preprocess(assets.get("preprocess"))
        source = WordSource(open_texts(data), vocabulary.tokens, config, train) if data is not None else None
        return cls(config, train, vocabulary, counts, tokenizer, reading, source)

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> EmbeddingTask:
        """Return the task with fresh weights over a small made-up vocabulary.

        Raises:
            UsageError: there is no such network, or `size` or `pretrained` is given.
        """
        check_sizes(name, size)
        refuse_weights(name, pretrained)
        vocabulary = Vocabulary((*SPECIALS, *(f"w{number}" for number in range(998))))
        counts = np.array([0, 0, *(1 + 1000 // (number + 1) for number in range(998))])
        config = EmbeddingConfig(model=name)
        return cls(config, TrainConfig(), vocabulary, counts, make_spec("whitespace"), None, None)

    @property
    def network(self) -> WordVectors:
        """The whole network."""
        return cast(WordVectors, self.model)

    @property
    def card(self) -> Card | None:
        """The card of the texts, if they are at hand."""
        return self._source.card if self._source is not None else None

    def head(self) -> nn.Module:
        """Return the last layer, whose input is the vector of a sum of words, or of a text."""
        return self.network.queries.head

    def assets(self) -> dict[str, Any]:
        """Return the assets: vocabulary, counts of words, and preprocessing."""
        return {
            "vocab": list(self.vocabulary.tokens),
            "counts": self.counts.tolist(),
            "preprocess": preprocess_of(self._tokenizer, self._reading),
        }

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return the loader of a process's share of a split; see `WordSource.loader`.

        Raises:
            DataError: there is no data, or no such split.
        """
        return at_hand(self._source).loader(split, self.counts, training=training, shard=shard)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the single optimizer."""
        return {"network": build_optimizer(self.model, self._train)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield the loss of a batch's pairs; texts of one word each have none, which count as one of loss 0."""
        losses = pair_losses(*self.network.pair_scores(batch["bags"], batch["targets"], batch["noise"]))
        count = max(len(losses), 1)
        yield Update("network", {"negative_sampling": losses.sum() / count}, count)

    def infer(self, batch: Batch) -> Outputs:
        """Return the vector of each sum of words, (N, D), and its cosine with every word, (N, V)."""
        return dict(zip(self.outputs, self.model(batch["tokens"], batch["signs"]), strict=True))

    def validate(self, batch: Batch) -> Outputs:
        """Return the logits of each pair's target, (P,), and of its noise, (P, K)."""
        targets, noise = self.network.pair_scores(batch["bags"], batch["targets"], batch["noise"])
        return {"targets": targets, "noise": noise}

    def measure(self, batch: Batch) -> Outputs:
        """Return what `validate` does, and the neighbours of frequent words."""
        return {**self.validate(batch), **self._neighbours()}

    def _neighbours(self) -> Outputs:
        """Return `frequent` (F,), the numbers of words, and `nearest` and `nearness` (F, k), by falling cosine."""
        weight = self.network.embedding.weight
        ranked = np.argsort(-self.counts, kind="stable")[: np.count_nonzero(self.counts)]
        first = min(NUM_SKIPPED, max(len(ranked) - NUM_SHOWN, 0))
        frequent = torch.from_numpy(ranked[first : first + NUM_SHOWN].copy()).to(weight.device)
        _, cosines = self.network(frequent[:, None], torch.ones_like(frequent[:, None], dtype=weight.dtype))
        has_vector = torch.from_numpy(self.counts > 0).to(weight.device)
        cosines = cosines.masked_fill(~has_vector, -2).scatter(1, frequent[:, None], -2)
        nearness, nearest = cosines.topk(min(NUM_NEAREST, len(ranked) - 1), dim=1)
        return {"frequent": frequent, "nearest": nearest, "nearness": nearness}

    def metric(self) -> WordPairMetric:
        """Return a new metric."""
        return WordPairMetric(self.vocabulary.tokens)

    def metric_of_file(self, outputs: Mapping[str, np.ndarray]) -> tuple[WordPairMetric, bool]:
        """See `MeasuresFiles`.

        Raises:
            UsageError: always, since the second vector of each word, which predicts, is in no file.
        """
        del outputs
        raise UsageError(
            "an exported file of word vectors has none of the vectors by which words predict others",
            hint="evaluate the run",
        )

    def samples(self) -> None:
        """Return None: an evaluation shows the neighbours of words."""
        return

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the neighbours of frequent words."""
        del split
        entries = report["neighbours"]
        rows = [
            [each["word"], "  ".join(f"{near['word']} {near['cosine']:.2f}" for near in each["nearest"])]
            for each in entries
        ]
        yield Table("neighbours", ["word", "nearest words, cosine"], rows, entries)

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield nothing: `dl visualize embeddings` draws the words."""
        del report, split
        return iter(())

    def baseline(self, split: str) -> dict[str, dict[str, float]]:
        """Return the AUC, on the same pairs, of frequency alone, and of PPMI with a truncated SVD."""
        from dlcli.tasks.embedding.baseline import count_baselines

        config, source = self._config, at_hand(self._source)
        return count_baselines(
            source,
            self.counts,
            split,
            size=config.embedding_dim,
            window=config.window,
            keep=source.keep(self.counts),
        )

    def export_plan(self) -> ExportPlan:
        """Return the part that answers, with made-up sums of words as samples."""
        random = np.random.default_rng(0)
        total, words = sum(PARITY_BATCHES), np.flatnonzero(self.counts)
        tokens = random.choice(words, (total, 4))
        signs = random.choice(np.array([1, -1], np.float32), (total, 4))
        signs[:, 0] = 1
        signs *= np.arange(4) < random.integers(1, 5, (total, 1))
        samples = cut_samples({"tokens": tokens.astype(np.int64), "signs": signs})
        example = {"tokens": torch.from_numpy(tokens[:2, :3].copy()), "signs": torch.ones(2, 3)}
        dynamic = {name: {0: "batch", 1: "time"} for name in self.inputs}
        return single_graph(
            self.network.queries,
            inputs=self.inputs,
            outputs=self.outputs,
            samples=samples,
            example=example,
            dynamic=dynamic,
            metadata={"assets": self.assets()},
        )


def build_network(config: EmbeddingConfig, train: TrainConfig, counts: np.ndarray) -> WordVectors:
    """Return the network that the configuration names; words that do not occur have a vector of zeros.

    Raises:
        UsageError: there is no such network.
    """
    if config.model not in NETWORKS:
        raise UsageError(f"--model: no network {config.model!r}", hint=did_you_mean(config.model, NETWORKS))
    network: WordVectors = load_object(NETWORKS[config.model].build)(
        vocab_size=len(counts),
        embedding_dim=config.embedding_dim,
        sparse=read_optimizer(train.optimizer)[0] == "lazyadam",
    )
    with torch.no_grad():
        network.embedding.weight[torch.from_numpy(counts == 0)] = 0
    return network
