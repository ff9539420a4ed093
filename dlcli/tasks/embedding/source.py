"""The texts of word vectors: splits, and loaders of words with their contexts."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.data.loading import ArrayLoader, Batch
from dlcli.data.order import WHOLE, Shard, SizedOrder
from dlcli.data.parts import ALL, part
from dlcli.data.text.contexts import (
    PairDrawer,
    Pairs,
    flat_words,
    keep_probabilities,
    noise_bounds,
    text_keys,
    word_counts,
)
from dlcli.data.text.form import TextForm
from dlcli.data.text.loader import pad
from dlcli.data.text.vocabulary import UNK, translation_between
from dlcli.tasks.embedding.config import EmbeddingConfig
from dlcli.tasks.embedding.networks import BAG

EVAL_WORDS = 4096
"""Words per batch in evaluation, where each text has its cosine with every word."""

EVAL_SEED = 0
"""Pairs that are measured are the same for every run."""

MAX_SHOWN = 1000
"""Words of a text that count for its own vector."""


class WordSource:
    """Prepared texts, whose labels are ignored but for the cut into parts, which is that of a classifier.

    Args:
        form: the prepared texts.
        vocabulary: the run's tokens; if the form's differ, its ids are mapped by token.
        config, train: the options of the task and of the loop.
    """

    def __init__(self, form: TextForm, vocabulary: Sequence[str], config: EmbeddingConfig, train: TrainConfig) -> None:
        self.form = form
        self._config = config
        self._train = train
        self._vocab_size = len(vocabulary)
        self._translation = translation_between(form.vocabulary().tokens, vocabulary)

    @property
    def card(self) -> Card:
        """The data's card."""
        return self.form.card

    def _part(self, split: str) -> tuple[str, np.ndarray]:
        return part(split, self.form.splits(), self._train, self._labels, root=self.form.root)

    def _labels(self, split: str) -> np.ndarray:
        return np.concatenate([self.form.labels(name) for name in self._splits(split)])

    def _splits(self, split: str) -> tuple[str, ...]:
        return self.form.splits() if split == ALL else (split,)

    @functools.lru_cache(maxsize=4)  # noqa: B019  # a source lives as long as its task
    def _arrays(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the concatenated ids and the offsets of a split, or of all splits."""
        parts = [(self.form.ids(name), self.form.offsets(name)) for name in self._splits(split)]
        starts = np.cumsum([0, *(len(ids) for ids, _ in parts)])
        ids = parts[0][0] if len(parts) == 1 else np.concatenate([ids for ids, _ in parts])
        offsets = [own[:-1] + start for (_, own), start in zip(parts, starts, strict=False)]
        ids = ids if self._translation is None else self._translation[ids]
        return ids, np.concatenate([*offsets, starts[-1:]])

    def counts(self) -> np.ndarray:
        """Return how often each word occurs in the training part, (V,) int64; see `word_counts`."""
        own, rows = self._part("train")
        return word_counts(flat_words(*self._arrays(own), rows)[0], self._vocab_size, self._config.min_count)

    def training_words(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the words of the training part that have a vector, (T,) int64, and the text of each, (T,) int64."""
        own, rows = self._part("train")
        words, owners, _ = flat_words(*self._arrays(own), rows)
        has_vector = counts[words] > 0
        return words[has_vector], owners[has_vector]

    def drawer(self, counts: np.ndarray) -> PairDrawer:
        """Return what draws pairs, by the run's counts of words, (V,)."""
        config = self._config
        return PairDrawer(self.keep(counts), noise_bounds(counts), config.window, config.negatives, config.model == BAG)

    def keep(self, counts: np.ndarray) -> np.ndarray:
        """Return the probability with which each word stays, (V,) float64.

        The threshold is at least the mean frequency: of a few words that are all frequent, too few would stay.
        """
        threshold, num_words = self._config.subsample, max(int(np.count_nonzero(counts)), 1)
        return keep_probabilities(counts, max(threshold, 1 / num_words) if threshold else 0.0)

    def loader(self, split: str, counts: np.ndarray, *, training: bool, shard: Shard = WHOLE) -> ArrayLoader:
        """Return the loader of a process's share of a split.

        A batch has `bags` (P, B), `targets` (P,) and `noise` (P, K), int64, see `Pairs`; in evaluation also the texts
        as queries, `tokens` (N, T) int64 and `signs` (N, T) float32, and their `rows` (N,).

        Raises:
            DataError: there is no such split.
        """
        own, rows = self._part(split)
        ids, offsets = self._arrays(own)
        seed = self._train.seed if training else None
        words = self._train.batch_size if training else max(EVAL_WORDS, self._train.batch_size)
        order = SizedOrder(rows, np.diff(offsets), words, seed=seed, shard=shard)
        drawer = self.drawer(counts)

        def draw(epoch: int, indices: np.ndarray) -> dict[str, np.ndarray]:
            return {"keys": text_keys(EVAL_SEED if seed is None else seed, epoch if training else 0, indices)}

        def fetch(rows: np.ndarray, drawn: Mapping[str, np.ndarray]) -> Batch:
            batch = _as_batch(drawer.draw(ids, offsets, rows, drawn["keys"]))
            if training:
                return batch
            tokens, lengths = pad(ids, offsets, rows, max_length=MAX_SHOWN, empty=UNK)
            signs = (np.arange(tokens.shape[1]) < lengths[:, None]).astype(np.float32)
            queries = {"tokens": tokens, "signs": signs, "rows": rows}
            return {**{name: torch.from_numpy(values) for name, values in queries.items()}, **batch}

        return ArrayLoader(order, fetch, draw)


def _as_batch(pairs: Pairs) -> Batch:
    return {name: torch.from_numpy(getattr(pairs, name)) for name in ("bags", "targets", "noise")}
