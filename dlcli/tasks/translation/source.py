"""The sentence pairs of a task: parts, loaders, and the original sentences."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.data.loading import ArrayLoader
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parallel.form import ParallelForm
from dlcli.data.parallel.groups import group_pairs
from dlcli.data.parallel.loader import SideArrays, parallel_loader
from dlcli.data.parallel.order import TokenOrder
from dlcli.data.parallel.tokenizers import Tokenizer
from dlcli.data.parts import ALL, part

EVAL_TOKENS = 8192
"""Tokens of a batch in evaluation, at least; a search over some 300 short sentences at a time."""

SIDES = ("source", "target")


class PairSource:
    """Prepared sentence pairs, in the tokens of a run.

    Args:
        form: the prepared pairs.
        tokenizers: the run's, of "source" and "target".
        max_length: sentences are truncated to this many tokens.
        train: the options of the loop.

    Raises:
        DataError: the pairs are in other languages or other tokens than the run's.
    """

    def __init__(
        self, form: ParallelForm, tokenizers: Sequence[Tokenizer], max_length: int, train: TrainConfig
    ) -> None:
        self.form = form
        self._max_length = max_length
        self._train = train
        for side, tokenizer in zip(SIDES, tokenizers, strict=True):
            own = form.tokenizers[side]
            if own.vocabulary != tokenizer.vocabulary or own.cleaning != tokenizer.cleaning:
                raise DataError(
                    f"{form.root}: its {side} sentences are tokenized differently from the run's",
                    details=[f"the run: {_brief(tokenizer)}; the data: {_brief(own)}"],
                    hint="use the data that the run was trained on, or train on this data",
                )

    @property
    def card(self) -> Card:
        """The data's card."""
        return self.form.card

    def rows(self, split: str) -> tuple[str, np.ndarray]:
        """Return the prepared split from which a split is read, and the rows in it; see `dlcli.data.parts.part`."""
        return part(
            split,
            self.form.splits(),
            self._train,
            lambda name: np.zeros(self._num_pairs(name), np.int64),
            root=self.form.root,
            together_of=self._groups,
        )

    def loader(self, split: str, *, training: bool, shard: Shard = WHOLE) -> ArrayLoader:
        """Return the loader of a process's share of a split, shuffled among pairs of like length if `training`.

        In evaluation a batch also has the sentences themselves, against which translations are measured.

        Raises:
            DataError: there is no such split.
        """
        own, rows = self.rows(split)
        source, target = (self._arrays(own, side) for side in SIDES)
        num_tokens = self._train.batch_size if training else max(EVAL_TOKENS, self._train.batch_size)
        lengths = source.lengths(self._max_length), target.lengths(self._max_length) + 2
        order = TokenOrder(rows, *lengths, num_tokens, seed=self._train.seed if training else None, shard=shard)
        sentences = None if training else functools.partial(self.sentences_of, own)
        return parallel_loader(source, target, order, max_length=self._max_length, sentences=sentences)

    def sentences(self, split: str) -> list[tuple[str, str]]:
        """Return the pairs of a split."""
        own, rows = self.rows(split)
        return self.sentences_of(own, rows.tolist())

    def sentences_of(self, split: str, rows: Sequence[int]) -> list[tuple[str, str]]:
        """Return the pairs with these row numbers in a prepared split, or in all of them together."""
        if split != ALL:
            return self.form.sentences(split, rows)
        pairs: dict[int, tuple[str, str]] = {}
        start = 0
        for own in self.form.splits():
            here = [row for row in rows if start <= row < start + self.form.num_pairs(own)]
            pairs |= zip(here, self.form.sentences(own, [row - start for row in here]), strict=True)
            start += self.form.num_pairs(own)
        return [pairs[row] for row in rows]

    def num_truncated(self) -> int:
        """Return how many training pairs have a side that is longer than the network reads."""
        own, rows = self.rows("train")
        longest = np.maximum(*(np.diff(self._arrays(own, side).offsets)[rows] for side in SIDES))
        return int((longest > self._max_length).sum())

    def some_sources(self, count: int) -> list[np.ndarray]:
        """Return the token ids of up to `count` source sentences, from shortest to longest, each (S,) int64."""
        split = "test" if "test" in self.form.splits() else self.form.splits()[0]
        arrays = self._arrays(split, "source")
        lengths = arrays.lengths(self._max_length)
        ranked = np.argsort(lengths, kind="stable")
        rows = ranked[np.linspace(0, len(ranked) - 1, min(count, len(ranked))).astype(int)]
        starts = arrays.offsets[rows]
        return [
            np.asarray(arrays.ids[start : start + length], np.int64)
            for start, length in zip(starts, lengths[rows], strict=True)
        ]

    @functools.lru_cache(maxsize=8)  # noqa: B019  # a source lives as long as its task
    def _arrays(self, split: str, side: str) -> SideArrays:
        """Return the tokens of a side of a split, or of all splits."""
        if split != ALL:
            return SideArrays(self.form.ids(split, side), self.form.offsets(split, side))
        parts = [self._arrays(own, side) for own in self.form.splits()]
        starts = np.cumsum([0, *(len(part.ids) for part in parts)])
        offsets = [part.offsets[:-1] + start for part, start in zip(parts, starts, strict=False)]
        return SideArrays(
            np.concatenate([part.ids for part in parts]), np.concatenate([*offsets, starts[-1:]]).astype(np.int64)
        )

    def _num_pairs(self, split: str) -> int:
        return sum(self.form.num_pairs(own) for own in (self.form.splits() if split == ALL else (split,)))

    @functools.lru_cache(maxsize=2)  # noqa: B019  # a source lives as long as its task
    def _groups(self, split: str) -> np.ndarray:
        """Return the group of each pair, (N,) int64: pairs that share a sentence, of either side, are never parted."""
        return group_pairs(self.sentences_of(split, range(self._num_pairs(split))))


def _brief(tokenizer: Tokenizer) -> str:
    return f"{tokenizer.size:,} tokens ({tokenizer.kind}) of {tokenizer.cleaning.language}"
