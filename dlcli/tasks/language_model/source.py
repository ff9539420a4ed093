"""The texts of a language model: parts, loaders, and the original texts."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.data.loading import ArrayLoader, Batch
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parts import ALL, part
from dlcli.data.text.cleaning import clean_text
from dlcli.data.text.form import TextForm
from dlcli.data.text.loader import BucketedOrder, pad
from dlcli.data.text.vocabulary import UNK, translation_between

EVAL_BATCH = 64
"""Texts per batch in evaluation, at least; the logits of a batch are computed in pieces of bounded size."""


class LanguageSource:
    """Prepared texts, in the tokens of a run; labels are ignored.

    Args:
        form: the prepared texts.
        vocabulary: the run's tokens; if the form's differ (it was prepared again), its ids are mapped by token.
        max_length: texts are truncated to this many tokens.
        train: the options of the loop.
    """

    def __init__(self, form: TextForm, vocabulary: Sequence[str], max_length: int, train: TrainConfig) -> None:
        self.form = form
        self._max_length = max_length
        self._train = train
        self._translation = translation_between(form.vocabulary().tokens, vocabulary)

    @property
    def card(self) -> Card:
        """The data's card."""
        return self.form.card

    def part(self, split: str) -> tuple[str, np.ndarray]:
        """Return the prepared split from which a split is read, and the rows in it; see `dlcli.data.parts.part`."""
        return part(split, self.form.splits(), self._train, self._no_labels, root=self.form.root)

    def _no_labels(self, split: str) -> np.ndarray:
        return np.zeros(len(self.arrays(split)[1]) - 1, np.int64)

    def loader(self, split: str, *, training: bool, shard: Shard = WHOLE) -> ArrayLoader:
        """Return the loader of a process's share of a split, shuffled among texts of similar length if `training`.

        A batch is {"tokens": (N, T) int64, padded with 0, "lengths", "rows": (N,) int64, "ends": (N,) bool, False for a
        text that is truncated}; in evaluation also `characters` (N,) int64 and `texts`, a list of N.

        Raises:
            DataError: there is no such split.
        """
        own, rows = self.part(split)
        batch_size = self._train.batch_size if training else max(EVAL_BATCH, self._train.batch_size)
        ids, offsets = self.arrays(own)
        whole = np.diff(offsets)
        lengths = np.minimum(whole, self._max_length)
        order = BucketedOrder(rows, lengths, batch_size, seed=self._train.seed if training else None, shard=shard)

        def fetch(chosen: np.ndarray, _: Mapping[str, Any]) -> Batch:
            tokens, counts = pad(ids, offsets, chosen, max_length=self._max_length, empty=UNK)
            batch: Batch = {
                "tokens": torch.from_numpy(tokens),
                "lengths": torch.from_numpy(counts),
                "rows": torch.from_numpy(np.ascontiguousarray(chosen)),
                "ends": torch.from_numpy(whole[chosen] <= self._max_length),
            }
            if not training:
                texts = self._texts(own, chosen.tolist())
                characters = np.array([len(clean_text(text)) for text in texts], np.int64)
                batch |= {"characters": torch.from_numpy(characters), "texts": texts}
            return batch

        return ArrayLoader(order, fetch)

    @functools.lru_cache(maxsize=4)  # noqa: B019  # a source lives as long as its task
    def arrays(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the concatenated ids and the offsets of a split, or of all splits."""
        if split == ALL:
            parts = [self.arrays(own) for own in self.form.splits()]
            starts = np.cumsum([0, *(len(ids) for ids, _ in parts)])
            offsets = [each[:-1] + start for (_, each), start in zip(parts, starts, strict=False)]
            return np.concatenate([ids for ids, _ in parts]), np.concatenate([*offsets, starts[-1:]])
        ids = self.form.ids(split)
        return ids if self._translation is None else self._translation[ids], self.form.offsets(split)

    def _texts(self, split: str, rows: Sequence[int]) -> list[str]:
        if split != ALL:
            return self.form.texts(split, rows)
        texts: dict[int, str] = {}
        start = 0
        for own in self.form.splits():
            end = start + len(self.form.offsets(own)) - 1
            here = [row for row in rows if start <= row < end]
            texts |= zip(here, self.form.texts(own, [row - start for row in here]), strict=True)
            start = end
        return [texts[row] for row in rows]

    def training_texts(self) -> tuple[list[np.ndarray], list[bool]]:
        """Return the tokens of each training text, (T,) integers each, truncated, and whether it ends there."""
        own, rows = self.part("train")
        ids, offsets = self.arrays(own)
        starts, ends = offsets[rows], np.minimum(offsets[rows + 1], offsets[rows] + self._max_length)
        texts = [np.asarray(ids[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        return texts, (ends == offsets[rows + 1]).tolist()

    def num_truncated(self) -> int:
        """Return how many training texts are longer than the network reads."""
        own, rows = self.part("train")
        return int((np.diff(self.arrays(own)[1])[rows] > self._max_length).sum())

    def some_texts(self, count: int) -> list[np.ndarray]:
        """Return the tokens of up to `count` texts, from shortest to longest, each (T,) int64."""
        split = "test" if "test" in self.form.splits() else self.form.splits()[0]
        ids, offsets = self.arrays(split)
        ranked = np.argsort(np.diff(offsets), kind="stable")
        rows = ranked[np.linspace(0, len(ranked) - 1, min(count, len(ranked))).astype(int)]
        tokens, lengths = pad(ids, offsets, rows, max_length=self._max_length, empty=UNK)
        return [row[:length] for row, length in zip(tokens, lengths.tolist(), strict=True)]
