"""Language modelling: the network, its loss, what it answers, its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer

from dlcli.core.errors import DataError
from dlcli.core.table import Table
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parts import at_hand
from dlcli.data.text.columns import Reading
from dlcli.data.text.form import open_texts
from dlcli.data.text.preprocess import preprocess_of, read_preprocess
from dlcli.data.text.tokenizing.joining import join_tokens
from dlcli.data.text.tokenizing.tokenizer import make_spec
from dlcli.data.text.vocabulary import PAD_TOKEN, UNK, UNK_TOKEN, Vocabulary
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.task import Batch, Goal, Loader, Outputs, Samples, Update, check_sizes, refuse_weights
from dlcli.export.plan import ExportPlan
from dlcli.metrics.language import LanguageMetric
from dlcli.models.fitting import FitsToTexts
from dlcli.tasks.language_model.baseline import ngram_baselines
from dlcli.tasks.language_model.config import LanguageModelConfig, LanguageModelInference
from dlcli.tasks.language_model.exporting import NUM_SAMPLES, graph_functions, graphs_of
from dlcli.tasks.language_model.networks import build_network
from dlcli.tasks.language_model.report import tables_of
from dlcli.tasks.language_model.search import SCORE_INPUTS, SEEDS, search
from dlcli.tasks.language_model.source import LanguageSource

NUM_SHOWN, LONGEST_SHOWN = 5, 30
"""Texts that are generated after each epoch, and tokens of each."""
SHOWN_AT = LanguageModelInference(generate=LONGEST_SHOWN, temperature=0.7)


class LanguageModelTask:
    """See `dlcli.engine.task.Task`, `Validates` and `TakesInference`; `LanguageSource.loader` says what a batch has."""

    inputs = SCORE_INPUTS
    outputs = ("log_probs",)
    goal = Goal("perplexity", larger_is_better=False, beside=("bits_per_character",))

    def __init__(
        self,
        config: LanguageModelConfig,
        train: TrainConfig,
        vocabulary: Vocabulary,
        tokenizer: Mapping[str, Any],
        reading: Reading | None,
        source: LanguageSource | None,
    ) -> None:
        self._config = config
        self._train = train
        self.vocabulary = vocabulary
        self._tokenizer = tokenizer
        self._reading = reading
        self._source = source
        self._inference = LanguageModelInference()
        self.model = build_network(config, len(vocabulary))

    @classmethod
    def from_data(cls, config: LanguageModelConfig, train: TrainConfig, data: Path) -> LanguageModelTask:
        """Return the task with a new network for the prepared texts.

        Raises:
            DataError: the texts cannot be read.
            UsageError: there is no such network, or an option does not fit it.
        """
        form = open_texts(data)
        source = LanguageSource(form, form.vocabulary().tokens, config.max_length, train)
        reading = Reading.from_json(form.card.details.get("reading"))
        task = cls(config, train, form.vocabulary(), form.tokenizer_spec(), reading, source)
        if isinstance(task.model, FitsToTexts):
            task.model.fit_to(*source.training_texts())
        return task

    @classmethod
    def from_assets(
        cls, config: LanguageModelConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> LanguageModelTask:
        """Return the task of a run from its assets.

        Raises:
            RunError: an asset is damaged.
            DataError: the data cannot be read, or was cut by another tokenizer.
        """
        vocabulary = Vocabulary.from_json(assets.get("vocab"))
        max_length, tokenizer, reading = read_preprocess(assets.get("preprocess"))
        source = None
        if data is not None:
            form = open_texts(data)
            if form.tokenizer_spec() != tokenizer:
                raise DataError(
                    f"{data}: its texts were cut by a different tokenizer from the run's",
                    details=[f"the run: {tokenizer.get('name')}; the data: {form.tokenizer_spec()['name']}"],
                    hint="prepare the data with the run's tokenizer, or train on this data",
                )
            source = LanguageSource(form, vocabulary.tokens, max_length, train)
        return cls(config, train, vocabulary, tokenizer, reading, source)

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> LanguageModelTask:
        """Return the task with fresh weights over a small made-up vocabulary.

        Raises:
            UsageError: there is no such network, or `size` or `pretrained` is given.
        """
        check_sizes(name, size)
        refuse_weights(name, pretrained)
        vocabulary = Vocabulary((PAD_TOKEN, UNK_TOKEN, *(f"w{number}" for number in range(998))))
        config = LanguageModelConfig(model=name)
        return cls(config, TrainConfig(), vocabulary, make_spec("whitespace"), None, None)

    @property
    def card(self) -> Card | None:
        """The card of the texts; None without data."""
        return self._source.card if self._source is not None else None

    def assets(self) -> dict[str, Any]:
        """Return the assets: vocabulary and preprocessing."""
        return {
            "vocab": list(self.vocabulary.tokens),
            "preprocess": preprocess_of(self._config.max_length, self._tokenizer, self._reading),
        }

    def notes(self) -> tuple[str, ...]:
        """Return a warning about training texts that are longer than the network reads."""
        num_cut = self._source.num_truncated() if self._source is not None else 0
        most = self._config.max_length
        return (f"{num_cut:,} training texts have more than {most} tokens and are cut there",) * bool(num_cut)

    def set_inference(self, options: LanguageModelInference) -> None:
        """Set what to answer."""
        self._inference = options

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return the loader of a process's share of a split, with texts of similar length together.

        Raises:
            DataError: there is no data, or no such split.
        """
        return at_hand(self._source).loader(split, training=training, shard=shard)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the single optimizer; none for counts, which are fitted to the data in `from_data`."""
        if isinstance(self.model, FitsToTexts):
            return {}
        return {"network": build_optimizer(self.model, self._train)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield the mean over predicted tokens, the end among them, of minus their log-probabilities."""
        said = batch["lengths"] + batch["ends"]
        log_probs = self.model(batch["tokens"], batch["lengths"])
        counts = torch.arange(log_probs.shape[1], device=said.device) < said[:, None]
        count = int(said.sum())
        optimizer = None if isinstance(self.model, FitsToTexts) else "network"
        yield Update(optimizer, {"cross_entropy": -(log_probs * counts).sum() / count}, count)

    def validate(self, batch: Batch) -> Outputs:
        """Return `log_probs` (N, T + 1), by the network itself rather than the graphs of an export."""
        return {"log_probs": self.model(batch["tokens"], batch["lengths"])}

    def infer(self, batch: Batch) -> Outputs:
        """Return the outputs of `search`, computed by the graphs of an export."""
        device = batch["tokens"].device
        arrays = {name: batch[name].cpu().numpy() for name in (*self.inputs, SEEDS) if name in batch}
        found = search(graph_functions(self.model), arrays, self._inference)
        return {name: torch.from_numpy(np.ascontiguousarray(value)).to(device) for name, value in found.items()}

    def metric(self) -> LanguageMetric:
        """Return a new metric."""
        return LanguageMetric(UNK)

    def samples(self) -> Samples:
        """Return some texts that the network makes from nothing, with the same draws each time."""
        arrays = {
            "tokens": np.zeros((NUM_SHOWN, 0), np.int64),
            "lengths": np.zeros(NUM_SHOWN, np.int64),
            SEEDS: np.arange(NUM_SHOWN),
        }
        found = search(graph_functions(self.model), arrays, SHOWN_AT)["generated"]
        name = self._tokenizer["name"]
        texts = [[self.vocabulary.tokens[number] for number in row if number] for row in found.tolist()]
        return Samples(lines=tuple(join_tokens(name, words) for words in texts))

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the texts that were expected most, and least."""
        del split
        return tables_of(report)

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield no picture: the tables say it."""
        del report, split
        return iter(())

    def baseline(self, split: str) -> dict[str, dict[str, float]]:
        """Return the figures of counts of single tokens and of three, fitted on the same training part."""
        return ngram_baselines(at_hand(self._source), split, len(self.vocabulary))

    def export_plan(self) -> ExportPlan:
        """Return the two graphs with samples: real texts if there is data, else random tokens.

        Raises:
            UsageError: the network is no graph.
        """
        if self._source is not None:
            texts = self._source.some_texts(NUM_SAMPLES)
        else:
            random = np.random.default_rng(0)
            texts = [random.integers(UNK, len(self.vocabulary), length) for length in range(1, NUM_SAMPLES + 1)]
        return ExportPlan(graphs_of(self.model, texts), {"assets": self.assets()})
