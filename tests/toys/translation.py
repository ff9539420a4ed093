"""A toy translation as a whole task: trained by teacher forcing, answered by a search over two graphs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from dlcli.core.table import Table
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card, read_card
from dlcli.data.loading import ArrayLoader
from dlcli.data.order import WHOLE, Order, Shard
from dlcli.data.parts import at_hand, part
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.task import Batch, Goal, Samples, Update, check_sizes, refuse_weights
from dlcli.export.plan import ExportPlan
from toys.sentences import END, MAX_LENGTH, PAD, START, WORDS, TranslationScore, open_pairs, tokens_of
from toys.seq import WIDTH, SeqInference, SeqTask

NUM_SHOWN = 2


class TranslationTask:
    """See `dlcli.engine.task.Task`, `Validates` and `TakesInference`."""

    inputs, outputs = SeqTask.inputs, SeqTask.outputs
    goal = Goal("val_loss", larger_is_better=False)

    def __init__(self, train: TrainConfig, data: Path | None) -> None:
        self._train, self._data = train, data
        self.card: Card | None = read_card(data) if data is not None else None
        self._answering = SeqTask(train.seed)
        self.model = self._answering.model

    @classmethod
    def from_data(cls, config: Any, train: TrainConfig, data: Path) -> TranslationTask:
        """Return the task with new networks."""
        del config
        open_pairs(data)
        return cls(train, data)

    @classmethod
    def from_assets(
        cls, config: Any, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> TranslationTask:
        """Return the task as a run describes it."""
        del config, assets
        return cls(train, data)

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> TranslationTask:
        """Return the task with networks of fresh weights."""
        check_sizes(name, size)
        refuse_weights(name, pretrained)
        return cls(TrainConfig(), None)

    def assets(self) -> dict[str, Any]:
        """Return the words."""
        return {"words": list(WORDS)}

    def set_inference(self, options: SeqInference) -> None:
        """Take up how to search."""
        self._answering.set_inference(options)

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> ArrayLoader:
        """Return batches of `tokens` (B, T), `lengths` (B,) and `targets` (B, S), padded; targets end with END."""
        root = at_hand(self._data)
        splits = open_pairs(root)
        source, indices = part(
            split, tuple(splits), self._train, lambda name: np.zeros(len(splits[name]), int), root=root
        )
        pairs = [(tokens_of(one), np.append(tokens_of(other), END)) for one, other in splits[source]]
        order = Order(indices, self._train.batch_size, seed=self._train.seed if training else None, shard=shard)

        def fetch(rows: np.ndarray, drawn: Mapping[str, Any]) -> dict[str, Tensor]:
            del drawn
            sides = [[torch.from_numpy(pairs[row][side]) for row in rows] for side in (0, 1)]
            tokens, targets = (torch.nn.utils.rnn.pad_sequence(side, batch_first=True) for side in sides)
            return {"tokens": tokens, "lengths": torch.tensor([len(one) for one in sides[0]]), "targets": targets}

        return ArrayLoader(order, fetch)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the one optimizer of both networks."""
        return {"networks": build_optimizer(self.model, self._train)}

    def _forced(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return (B, S) losses of the targets, each after the right words before it, and which are of words."""
        memory = self.model["encoder"](batch["tokens"], batch["lengths"])
        past = memory.new_zeros(len(memory), 1, WIDTH)
        losses, last = [], torch.full_like(batch["targets"][:, 0], START)
        for target in batch["targets"].unbind(1):
            log_probs, past = self.model["step"].log_probs(last, memory, batch["lengths"], past)
            losses.append(-log_probs.gather(1, target[:, None])[:, 0])
            last = target
        is_word = batch["targets"] != PAD
        return torch.stack(losses, 1) * is_word, is_word

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Minimise the mean loss of a token."""
        losses, is_word = self._forced(batch)
        count = int(is_word.sum())
        yield Update("networks", {"cross_entropy": losses.sum() / count}, count)

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of each sentence by teacher forcing, which costs no search."""
        losses, is_word = self._forced(batch)
        return {"losses": losses.sum(1), "num_tokens": is_word.sum(1)}

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        """Return `sentences` (B, num_best, MAX_LENGTH) and `scores` (B, num_best), by the search of an export."""
        return {name: torch.from_numpy(array) for name, array in self._answering.infer(batch).items()}

    def metric(self) -> TranslationScore:
        """Return a new metric."""
        return TranslationScore()

    def samples(self) -> Samples | None:
        """Return what is said of some sentences of the validation part."""
        batch = next(self.loader("valid").batches(), None) if self._data is not None else None
        if batch is None:
            return None
        found = self.infer({name: batch[name][:NUM_SHOWN] for name in self.inputs})["sentences"][:, 0]
        assert found.shape[1] == MAX_LENGTH
        return Samples(lines=tuple(" ".join(WORDS[token] for token in row if token != PAD) for row in found.tolist()))

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield no table."""
        del report, split
        return iter(())

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield no picture."""
        del report, split
        return iter(())

    def export_plan(self) -> ExportPlan:
        """Return the two graphs, exported by traces: torch.export takes 10 s for them, and tests/export proves it."""
        graphs = self._answering.export_plan().graphs
        metadata = {"task": "toy-translation", "assets": self.assets()}
        return ExportPlan(tuple(dataclasses.replace(graph, exporters=("legacy",)) for graph in graphs), metadata)
