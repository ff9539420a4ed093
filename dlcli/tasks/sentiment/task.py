"""Text classification: the network, its loss, its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from dlcli.core.errors import DataError
from dlcli.core.table import Table
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.data.items import Item
from dlcli.data.labels import read_labels
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parts import at_hand
from dlcli.data.text.columns import Reading
from dlcli.data.text.form import open_texts
from dlcli.data.text.preprocess import preprocess_of, read_preprocess
from dlcli.data.text.tokenizing.tokenizer import build_tokenizer, make_spec
from dlcli.data.text.vocabulary import PAD_TOKEN, SPECIALS, UNK_TOKEN, Vocabulary
from dlcli.engine.floors import Floor
from dlcli.engine.task import Batch, Goal, Loader, Outputs, Update, check_sizes, refuse_weights
from dlcli.export.plan import PARITY_BATCHES, ExportPlan
from dlcli.metrics.members import member_tables
from dlcli.models.ensemble import members_of
from dlcli.models.fitting import FitsToLabels
from dlcli.models.heads import heads_of
from dlcli.tasks.classes.ensemble import (
    build_members,
    class_updates,
    member_logits,
    member_optimizers,
    named_members,
)
from dlcli.tasks.classes.losses import ClassLoss
from dlcli.tasks.classes.metric import LogitsMetric
from dlcli.tasks.classes.options import SAMPLE
from dlcli.tasks.classes.report import class_tables, draw_class_report, worst_rows
from dlcli.tasks.classes.teacher import open_teacher
from dlcli.tasks.classes.training import class_weights_of, register_class_weights, require_classes, require_labels
from dlcli.tasks.sentiment.building import (
    build_model,
    count_texts,
    coverage_notes,
    load_vectors,
    max_characters_of,
    require_fittable,
)
from dlcli.tasks.sentiment.config import FRESH, SentimentConfig
from dlcli.tasks.sentiment.encoder import (
    ASSET,
    Encoder,
    encoder_from_json,
    in_tokens_of,
    load_encoder,
    take_encoder,
)
from dlcli.tasks.sentiment.exporting import CHARACTERS, TOKENS, random_texts, sequences_of, text_plan
from dlcli.tasks.sentiment.source import TextSource
from dlcli.tasks.sentiment.starting import start_from


class SentimentTask:
    """See `dlcli.engine.task.Task`; a batch holds `tokens` (N, T), `lengths`, `labels` and `rows` (N,), all int64.

    For a network that reads characters it also holds `characters` (N, S) and `character_lengths` (N,).
    """

    outputs = ("logits",)
    goal = Goal("accuracy", larger_is_better=True)

    def __init__(
        self,
        config: SentimentConfig,
        train: TrainConfig,
        labels: tuple[str, ...],
        vocabulary: Vocabulary,
        tokenizer: Mapping[str, Any],
        reading: Reading | None,
        source: TextSource | None,
        encoder: Encoder | None = None,
    ) -> None:
        self._config = config
        self._train = train
        self.labels = labels
        self.vocabulary = vocabulary
        self._tokenizer = tokenizer
        self._reading = reading
        self._source = source
        self._notes: tuple[str, ...] = ()
        self._encoder = encoder
        require_fittable(config)
        self.model = build_members(
            lambda: build_model(config, train, len(labels), len(vocabulary), encoder), config.ensemble
        )
        register_class_weights(self.model)
        self._max_characters = max_characters_of(config)
        self.inputs = TOKENS if self._max_characters is None else (*TOKENS, *CHARACTERS)
        self._loss = ClassLoss(config.loss, config.label_smoothing)

    @classmethod
    def from_data(cls, config: SentimentConfig, train: TrainConfig, data: Path) -> SentimentTask:
        """Return the task with a new network for the prepared texts.

        Raises:
            DataError: the texts or the word vectors cannot be read, or the texts cannot train a classifier.
            UsageError: there is no such network, or an option does not fit it.
        """
        form, encoder = take_encoder(config, open_texts(data))
        classes = form.card.classes
        require_classes(form.card, data, "text")
        vocabulary = form.vocabulary()
        source = TextSource(form, classes, vocabulary.tokens, config.max_length, train, max_characters_of(config))
        reading = Reading.from_json(form.card.details.get("reading"))
        task = cls(config, train, classes, vocabulary, form.tokenizer_spec(), reading, source, encoder)
        count_texts(task.model, lambda: map(task._inputs, source.loader("train", training=False).batches()))
        if encoder is not None:
            task._notes = tuple(load_encoder(members_of(task.model), Path(str(config.pretrained))))
        task._loss.teacher = open_teacher(config.teacher, config.distill, task, train)
        if config.class_weights == "balanced":
            register_class_weights(task.model, source.class_weights())
        if isinstance(task.model, FitsToLabels):
            weights = source.class_weights() if config.class_weights != "none" else None
            task.model.fit_to_labels(task._labelled("train"), task._labelled("valid"), weights)
        if encoder is None and config.pretrained not in (None, FRESH):
            start_from(str(config.pretrained), members_of(task.model), task.assets(), config.model, train)
        if config.embedding is not None:
            for network in members_of(task.model):
                found = load_vectors(network, config.embedding, vocabulary)
            task._notes += coverage_notes(config.embedding, found, len(vocabulary) - len(SPECIALS))
        return task

    @classmethod
    def from_assets(
        cls, config: SentimentConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> SentimentTask:
        """Return the task of a run from its assets.

        Raises:
            RunError: an asset is damaged.
            DataError: the data cannot be read, was cut by another tokenizer, or has a class that the run does not.
        """
        labels, vocabulary = read_labels(assets.get("labels")), Vocabulary.from_json(assets.get("vocab"))
        max_length, tokenizer, reading = read_preprocess(assets.get("preprocess"))
        source = None
        if data is not None:
            form = in_tokens_of(open_texts(data), tokenizer, vocabulary)
            require_labels(form.card, data, "text")
            if _words_of(form.tokenizer_spec()) != _words_of(tokenizer):
                raise DataError(
                    f"{data}: its texts were cut by a different tokenizer from the run's",
                    details=[f"the run: {_brief(tokenizer)}; the data: {_brief(form.tokenizer_spec())}"],
                    hint="prepare the data with the run's tokenizer, or train on this data",
                )
            source = TextSource(form, labels, vocabulary.tokens, max_length, train, max_characters_of(config))
        encoder = encoder_from_json(assets.get(ASSET), len(vocabulary))
        return cls(config, train, labels, vocabulary, tokenizer, reading, source, encoder)

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> SentimentTask:
        """Return the task with fresh weights over a small made-up vocabulary.

        Raises:
            UsageError: there is no such network, or `size` or `pretrained` is given.
        """
        check_sizes(name, size)
        refuse_weights(name, pretrained)
        vocabulary = Vocabulary((PAD_TOKEN, UNK_TOKEN, *(f"w{number}" for number in range(998))))
        labels = ("negative", "positive")
        config = SentimentConfig(model=name)
        return cls(config, TrainConfig(), labels, vocabulary, make_spec("whitespace"), None, None)

    @property
    def card(self) -> Card | None:
        """The card of the texts, with what was found about the word vectors; None without data."""
        if self._source is None:
            return None
        card = self._source.card
        return replace(card, warnings=(*card.warnings, *self._notes))

    def head(self) -> nn.Module:
        """Return the last layer, whose input is an item's embedding, or those of an ensemble's members.

        Raises:
            ValueError: it cannot be found in this network.
        """
        return heads_of(self.model)

    def assets(self) -> dict[str, Any]:
        """Return the assets: labels, vocabulary and preprocessing."""
        return {
            "labels": list(self.labels),
            "vocab": list(self.vocabulary.tokens),
            "preprocess": preprocess_of(self._config.max_length, self._tokenizer, self._reading, self._max_characters),
            **({ASSET: self._encoder.to_json()} if self._encoder is not None else {}),
        }

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return the loader of a process's share of a split, with texts of similar length together.

        Raises:
            DataError: there is no data, or no such split.
        """
        is_balanced = self._config.class_weights == SAMPLE
        return at_hand(self._source).loader(split, training=training, is_balanced=is_balanced, shard=shard)

    def items(self, split: str, rows: Sequence[int]) -> list[Item]:
        """Return the items of a split with these row numbers.

        Raises:
            DataError: there is no data, no such split, or an item cannot be read.
        """
        return at_hand(self._source).items(split, rows)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the optimizer of each member, by default of the only network; none if that is computed."""
        return {} if isinstance(self.model, FitsToLabels) else member_optimizers(self.model, self._train)

    def _labelled(self, split: str) -> Iterator[tuple[tuple[torch.Tensor, ...], torch.Tensor]]:
        """Yield the network's inputs and the labels of each batch of a split."""
        batches = self.loader(split).batches()
        return ((self._inputs(batch), batch["labels"]) for batch in batches)

    def _inputs(self, batch: Batch) -> tuple[torch.Tensor, ...]:
        return tuple(batch[name] for name in self.inputs)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield the loss of each member on a batch."""
        networks, weights = named_members(self.model), class_weights_of(self.model)
        updates = class_updates(networks, self._loss, batch["labels"], weights, *self._inputs(batch))
        if not isinstance(self.model, FitsToLabels):
            return updates
        return (replace(each, optimizer=None, figures={**each.figures, **self.model.fitted}) for each in updates)

    def infer(self, batch: Batch) -> Outputs:
        """Return (N, C) logits."""
        return {"logits": self.model(*self._inputs(batch))}

    def measure(self, batch: Batch) -> Outputs:
        """Return the logits of an ensemble's members; see `member_logits`."""
        return member_logits(self.model, batch, self.inputs)

    def metric(self) -> LogitsMetric:
        """Return a new metric."""
        return LogitsMetric(self.labels)

    def samples(self) -> None:
        """Return None: texts are not augmented."""
        return

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the metrics of each class, and the worst mistakes with their texts."""
        yield from member_tables(report)
        yield from class_tables(report, self.labels, at_hand(self._source).texts(split, worst_rows(report)))

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the confusion matrix, the curves, and the worst mistakes as texts."""
        from dlcli.visualize.text_mistakes import draw_text_mistakes

        texts = at_hand(self._source).texts(split, worst_rows(report))
        return draw_class_report(report, self.labels, lambda worst: draw_text_mistakes(worst, texts, self.labels))

    def baseline(self, split: str) -> dict[str, dict[str, float]]:
        """Return the metrics of simple models of characters and words, fitted on the same training part."""
        from dlcli.tasks.sentiment.baseline import NAME, tfidf_baseline
        from dlcli.tasks.sentiment.word_baselines import word_baselines

        train_texts, train_labels = at_hand(self._source).texts_and_labels("train")
        texts, labels = at_hand(self._source).texts_and_labels(split)
        figures = tfidf_baseline(
            train_texts, train_labels, texts, labels, num_classes=len(self.labels), strip=self._tokenizer["strip"]
        )
        cut = build_tokenizer(self._tokenizer, self.vocabulary.tokens).tokens_of_all
        words = word_baselines(cut, train_texts, train_labels, texts, labels, num_classes=len(self.labels))
        return {NAME: figures, **words}

    def quick_floor(self) -> Floor | None:
        """Return the figures of TF-IDF and logistic regression, fitted on at most 4,000 texts; see `HasFloor`."""
        from dlcli.tasks.sentiment.baseline import quick_floor

        floor = quick_floor(at_hand(self._source), len(self.labels), self._tokenizer["strip"])
        return replace(floor, instead="") if floor is not None and self._config.model == "tfidf" else floor

    def export_plan(self) -> ExportPlan:
        """Return the model with samples: real texts if there is data, else random tokens."""
        sequences = sequences_of(len(self.vocabulary), has_characters=self._max_characters is not None)
        total = sum(PARITY_BATCHES)
        arrays = random_texts(sequences) if self._source is None else self._source.some_inputs(total)
        return text_plan(self.model, sequences, arrays, {"assets": self.assets()})


def _words_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides a text's tokens once it is in Unicode's normal form, as prepared texts are."""
    return {name: value for name, value in spec.items() if name != "unicode"}


def _brief(spec: Mapping[str, Any]) -> str:
    stopwords = len(spec.get("stopwords", ()))
    more = [f"{stopwords} stop words"] if stopwords else []
    more += [f"without {kind}s" for kind in spec.get("strip", ())]
    return ", ".join([f"{spec.get('name')} {spec.get('version')}", *more])
