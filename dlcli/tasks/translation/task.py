"""Translation: the network, its loss, its search, its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch.optim import Optimizer

from dlcli.core.table import Table
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parallel.cleaning import Cleaning
from dlcli.data.parallel.form import open_parallel
from dlcli.data.parallel.tokenizers import SPECIALS, Tokenizer, VocabularyTokenizer, share_vocabulary
from dlcli.data.parts import at_hand
from dlcli.engine.task import Batch, Goal, Loader, Outputs, Samples, Update, check_sizes, refuse_weights
from dlcli.export.plan import ExportPlan
from dlcli.metrics.translation import TranslationMetric
from dlcli.models.seq2seq.ensemble import TranslatorEnsemble
from dlcli.models.seq2seq.translator import Translator
from dlcli.tasks.classes.ensemble import build_members, member_optimizers, named_members
from dlcli.tasks.translation.codec import read_max_length, read_tokenizers
from dlcli.tasks.translation.config import TranslationConfig, TranslationInference
from dlcli.tasks.translation.exporting import NUM_SAMPLES, graph_functions, graphs_of
from dlcli.tasks.translation.losses import sentence_losses, training_losses
from dlcli.tasks.translation.networks import build_network
from dlcli.tasks.translation.report import nearest_baseline, tables_of
from dlcli.tasks.translation.search import search
from dlcli.tasks.translation.source import PairSource

NUM_SHOWN = 5
"""Validation sentences whose translations are shown after each epoch."""


class TranslationTask:
    """See `dlcli.engine.task.Task`, `Validates`, `Measures` and `TakesInference`.

    A batch holds `source` (N, S) and `target` (N, T), int64, padded, the target with its start and end, their lengths
    `source_lengths` and `target_lengths` (N,), and in evaluation the sentences, `source_texts` and `target_texts`.
    """

    inputs = ("source", "source_lengths")
    outputs = ("sentences", "scores")
    goal = Goal("perplexity", larger_is_better=False)

    def __init__(
        self,
        config: TranslationConfig,
        train: TrainConfig,
        tokenizers: tuple[Tokenizer, Tokenizer],
        source: PairSource | None,
    ) -> None:
        self._config = config
        self._train = train
        self.tokenizers = tokenizers
        self._source = source
        self._inference = TranslationInference()
        source_size, target_size = (tokenizer.size for tokenizer in tokenizers)
        is_joint = share_vocabulary(*tokenizers)
        self.model = build_members(
            lambda: build_network(config, source_size, target_size, is_joint=is_joint),
            config.ensemble,
            TranslatorEnsemble,
        )

    @classmethod
    def from_data(cls, config: TranslationConfig, train: TrainConfig, data: Path) -> TranslationTask:
        """Return the task with a new network for the prepared pairs.

        Raises:
            DataError: the pairs cannot be read.
            UsageError: there is no such network, or an option does not fit it.
        """
        form = open_parallel(data)
        tokenizers = (form.tokenizers["source"], form.tokenizers["target"])
        return cls(config, train, tokenizers, PairSource(form, tokenizers, config.max_length, train))

    @classmethod
    def from_assets(
        cls, config: TranslationConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> TranslationTask:
        """Return the task of a run from its assets.

        Raises:
            RunError: an asset is damaged.
            DataError: the data cannot be read, or is tokenized differently from the run's.
        """
        tokenizers, max_length = read_tokenizers(assets.get("tokenizers")), read_max_length(assets.get("preprocess"))
        source = PairSource(open_parallel(data), tokenizers, max_length, train) if data is not None else None
        return cls(config, train, tokenizers, source)

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> TranslationTask:
        """Return the task with fresh weights over two small made-up vocabularies.

        Raises:
            UsageError: there is no such network, or `size` or `pretrained` is given.
        """
        check_sizes(name, size)
        refuse_weights(name, pretrained)
        words = (*SPECIALS, *(f"w{number}" for number in range(996)))
        tokenizers = tuple(VocabularyTokenizer("word", Cleaning(language), words) for language in ("de", "en"))
        return cls(TranslationConfig(model=name), TrainConfig(), cast(tuple[Tokenizer, Tokenizer], tokenizers), None)

    @property
    def card(self) -> Card | None:
        """The card of the pairs; None without data."""
        return self._source.card if self._source is not None else None

    @property
    def _translator(self) -> Translator:
        return cast(Translator, self.model)

    def assets(self) -> dict[str, Any]:
        """Return the assets: the tokenizers of both sides, and the largest number of tokens."""
        source, target = self.tokenizers
        return {
            "tokenizers": {"source": source.to_json(), "target": target.to_json()},
            "preprocess": {"max_length": self._config.max_length},
        }

    def notes(self) -> tuple[str, ...]:
        """Return a warning about training sentences that are longer than the network reads."""
        num_cut = self._source.num_truncated() if self._source is not None else 0
        most = self._config.max_length
        return (f"{num_cut:,} training pairs have more than {most} tokens on a side and are cut there",) * bool(num_cut)

    def set_inference(self, options: TranslationInference) -> None:
        """Set how to search."""
        self._inference = options

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return the loader of a process's share of a split, with pairs of similar length together.

        Raises:
            DataError: there is no data, or no such split.
        """
        return at_hand(self._source).loader(split, training=training, shard=shard)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the optimizer of each member, by default of the only network."""
        return member_optimizers(self.model, self._train)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield the cross-entropy of each member of the right tokens after the right ones, a mean over tokens."""
        options = {"label_smoothing": self._config.label_smoothing, "r_drop": self._config.r_drop}
        for name, network in named_members(self.model).items():
            losses, count = training_losses(cast(Translator, network), batch, **options)
            yield Update(name, losses, count)

    def validate(self, batch: Batch) -> Outputs:
        """Return `losses` and `num_tokens` of each sentence, (N,), by teacher forcing: one pass instead of a search."""
        losses, num_tokens = sentence_losses(self._translator, batch)
        return {"losses": losses, "num_tokens": num_tokens}

    def measure(self, batch: Batch) -> Outputs:
        """Return the same of a test part, so that the perplexity of a run is known too."""
        return self.validate(batch)

    def infer(self, batch: Batch) -> Outputs:
        """Return `sentences` (N, nbest, L) int64 and `scores` (N, nbest), by the search of an export."""
        graphs = graph_functions(self.model, self.tokenizers[1].size)
        arrays = {name: batch[name].cpu().numpy() for name in self.inputs}
        found = search(graphs, arrays, self._inference)
        return {name: torch.from_numpy(found[name]).to(batch["source"].device) for name in self.outputs}

    def metric(self) -> TranslationMetric:
        """Return a new metric."""
        target = self.tokenizers[1]
        return TranslationMetric(
            target.decode, target.cleaning.language, several_references=self._has_several_references
        )

    @property
    def _has_several_references(self) -> bool:
        return self._inference.references == "all"

    def samples(self) -> Samples | None:
        """Return some validation sentences with their translations."""
        if self._source is None:
            return None
        batch = next(iter(self.loader("valid").batches()), None)
        if batch is None:
            return None
        count = len(batch["source"])
        rows = np.linspace(0, count - 1, min(NUM_SHOWN, count)).astype(int)
        found = self.infer({name: batch[name][rows].to(self._device) for name in self.inputs})["sentences"][:, 0]
        texts = [self.tokenizers[1].decode(line) for line in found.tolist()]
        shown = zip(rows.tolist(), texts, strict=True)
        return Samples(
            lines=tuple(f"{batch['source_texts'][row]} → {text} ({batch['target_texts'][row]})" for row, text in shown)
        )

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the figures by length, and the best and the worst translations."""
        del split
        return tables_of(report)

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield no picture: the tables say it."""
        del report, split
        return iter(())

    def baseline(self, split: str) -> dict[str, dict[str, float]]:
        """Return the figures of answering with the translation of the most similar training sentence."""
        source = at_hand(self._source)
        return nearest_baseline(
            source.sentences("train"),
            source.sentences(split),
            self.tokenizers[1].cleaning.language,
            several_references=self._has_several_references,
        )

    def export_plan(self) -> ExportPlan:
        """Return the encoder and the step with samples: real sentences if there is data, else random tokens."""
        if self._source is not None:
            sentences = self._source.some_sources(NUM_SAMPLES)
        else:
            random = np.random.default_rng(0)
            size = self.tokenizers[0].size
            sentences = [random.integers(len(SPECIALS), size, length) for length in range(1, NUM_SAMPLES + 1)]
        graphs = graphs_of(self.model, self.tokenizers[1].size, sentences)
        return ExportPlan(graphs, {"assets": self.assets()})
