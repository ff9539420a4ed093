"""The texts of a task: splits, loaders, and the original texts."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.data.items import Item
from dlcli.data.labels import balanced_weights, indices_in_run
from dlcli.data.loading import ArrayLoader
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parts import ALL, part
from dlcli.data.text.characters import Characters, character_reader, pack_characters
from dlcli.data.text.form import TextForm
from dlcli.data.text.loader import BucketedOrder, character_arrays, pad, text_loader
from dlcli.data.text.vocabulary import UNK, translation_between

EVAL_BATCH = 256
"""Texts per batch in evaluation."""


class TextSource:
    """Prepared texts, labelled by a run's class indices.

    Args:
        form: the prepared texts.
        labels: the run's class names in the run's order; the form's classes are matched to them by name.
        vocabulary: the run's tokens; if the form's differ (it was prepared again), its ids are mapped by token.
        max_length: texts are truncated to this many tokens.
        train: the options of the loop.
        max_characters: the batches have the characters of each text, too, at most this many; None for none.

    Raises:
        DataError: the data has a class that the run does not.
    """

    def __init__(
        self,
        form: TextForm,
        labels: tuple[str, ...],
        vocabulary: Sequence[str],
        max_length: int,
        train: TrainConfig,
        max_characters: int | None = None,
    ) -> None:
        self.form = form
        self._to_run = indices_in_run(form.card.classes, labels, form.root)
        self._num_classes = len(labels)
        self._max_length = max_length
        self._train = train
        self._max_characters = max_characters
        self._translation = translation_between(form.vocabulary().tokens, vocabulary)

    @property
    def card(self) -> Card:
        """The data's card."""
        return self.form.card

    def _part(self, split: str) -> tuple[str, np.ndarray]:
        """Return the prepared split from which a split is read, and the rows in it; see `dlcli.data.parts.part`."""
        return part(split, self.form.splits(), self._train, self._labels, root=self.form.root)

    def _labels(self, split: str) -> np.ndarray:
        """Return the run's class index of each text of a split, or of all splits, (N,) int64."""
        own = self.form.splits() if split == ALL else (split,)
        return np.concatenate([self._to_run[self.form.labels(name)] for name in own])

    def class_weights(self) -> np.ndarray:
        """Return (C,) float32 weights, inverse to the class frequencies in training, with mean 1 over its texts."""
        split, rows = self._part("train")
        return balanced_weights(self._labels(split)[rows], self._num_classes)

    def loader(self, split: str, *, training: bool, is_balanced: bool = False, shard: Shard = WHOLE) -> ArrayLoader:
        """Return the loader of a process's share of a split, shuffled among texts of similar length if `training`.

        Args:
            split, shard: which texts.
            training: whether they are shuffled.
            is_balanced: whether training texts are drawn so that each class is equally frequent.

        Raises:
            DataError: there is no such split.
        """
        own, rows = self._part(split)
        batch_size = self._train.batch_size if training else max(EVAL_BATCH, self._train.batch_size)
        ids, offsets, labels = self._arrays(own)
        lengths = np.minimum(np.diff(offsets), self._max_length)
        seed, classes = (self._train.seed, labels if is_balanced else None) if training else (None, None)
        order = BucketedOrder(rows, lengths, batch_size, seed=seed, shard=shard, classes=classes)
        limits = {"max_length": self._max_length, "empty": UNK}
        return text_loader(ids, offsets, labels, order, **limits, characters=self._characters(own))

    @functools.lru_cache(maxsize=4)  # noqa: B019
    def _characters(self, split: str) -> Characters | None:
        """Return the characters of the texts of a split, or of all splits; None if the network does not read them."""
        if self._max_characters is None:
            return None
        texts = self._texts(split, range(len(self._labels(split))))
        return pack_characters(texts, character_reader(self.form.tokenizer_spec(), self._max_characters))

    @functools.lru_cache(maxsize=4)  # noqa: B019  # a source lives as long as its task
    def _arrays(self, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the concatenated ids, the offsets and the run's class indices of a split, or of all splits."""
        if split == ALL:
            parts = [self._arrays(own) for own in self.form.splits()]
            starts = np.cumsum([0, *(len(ids) for ids, _, _ in parts)])
            offsets = [part[1][:-1] + start for part, start in zip(parts, starts, strict=False)]
            return (
                np.concatenate([part[0] for part in parts]),
                np.concatenate([*offsets, starts[-1:]]),
                np.concatenate([part[2] for part in parts]),
            )
        ids = self.form.ids(split)
        ids = ids if self._translation is None else self._translation[ids]
        return ids, self.form.offsets(split), self._to_run[self.form.labels(split)]

    def texts(self, split: str, rows: Sequence[int]) -> list[str]:
        """Return the original texts with these row numbers in a split."""
        own, _ = self._part(split)
        return self._texts(own, rows)

    def _texts(self, split: str, rows: Sequence[int]) -> list[str]:
        if split != ALL:
            return self.form.texts(split, rows)
        texts: dict[int, str] = {}
        start = 0
        for own in self.form.splits():
            end = start + len(self.form.labels(own))
            here = [row for row in rows if start <= row < end]
            texts |= zip(here, self.form.texts(own, [row - start for row in here]), strict=True)
            start = end
        return [texts[row] for row in rows]

    def items(self, split: str, rows: Sequence[int]) -> list[Item]:
        """Return the texts with these row numbers in a split, with their classes.

        Raises:
            DataError: there is no such split.
        """
        own, _ = self._part(split)
        places = np.concatenate([self.form.labels(name) for name in (self.form.splits() if own == ALL else (own,))])
        texts = self._texts(own, rows)
        return [
            Item(f"{own}:{row + 1}", self.form.card.classes[places[row]], fields={"text": text})
            for row, text in zip(rows, texts, strict=True)
        ]

    def texts_and_labels(
        self, split: str, *, most: int | None = None, most_tokens: int | None = None
    ) -> tuple[list[str], np.ndarray]:
        """Return the N texts of a split and their class indices, (N,) int64.

        Args:
            split: which texts.
            most: return at most this many, spread evenly over the split.
            most_tokens: return at most as many as have this many tokens together, on average.
        """
        own, rows = self._part(split)
        if most is not None and most_tokens is not None and len(rows):
            mean_tokens = float(np.diff(self._arrays(own)[1])[rows].mean())
            count = max(1, min(len(rows), most, int(most_tokens / max(1.0, mean_tokens))))
            rows = rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)]
        return self._texts(own, rows.tolist()), self._labels(own)[rows]

    def some_inputs(self, count: int) -> dict[str, np.ndarray]:
        """Return the network's inputs by name for up to `count` texts, from shortest to longest: see `text_loader`."""
        split = "test" if "test" in self.form.splits() else self.form.splits()[0]
        ids, offsets, _ = self._arrays(split)
        ranked = np.argsort(np.diff(offsets), kind="stable")
        rows = ranked[np.linspace(0, len(ranked) - 1, min(count, len(ranked))).astype(int)]
        tokens, lengths = pad(ids, offsets, rows, max_length=self._max_length, empty=UNK)
        characters = self._characters(split)
        more = {} if characters is None else character_arrays(characters, rows)
        return {"tokens": tokens, "lengths": lengths, **more}
