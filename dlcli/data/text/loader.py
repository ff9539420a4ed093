"""Batches of token sequences: texts of similar length together, so that batches contain little padding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from dlcli.data.loading import ArrayLoader, Batch
from dlcli.data.order import WHOLE, Order, Shard
from dlcli.data.text.characters import NO_CHARACTERS, Characters

POOL = 64
"""Number of batches whose texts are sorted together: enough that neighbours have nearly equal lengths."""

JITTER = 0.2
"""Lengths are randomly increased by up to this fraction for sorting, so that batches of small data vary by epoch."""


class BucketedOrder(Order):
    """An order whose batches contain items of similar length; seeded in training, fully sorted in evaluation.

    Random pools of `POOL` batches are sorted by length and cut into batches; then all batches are shuffled except the
    last, which may be smaller.

    Args:
        indices: the items of the split.
        lengths: (M,) length of every item that an index can refer to.
        batch_size, seed, shard, classes: as in `Order`.
    """

    def __init__(
        self,
        indices: np.ndarray,
        lengths: np.ndarray,
        batch_size: int,
        *,
        seed: int | None,
        shard: Shard = WHOLE,
        classes: np.ndarray | None = None,
    ) -> None:
        super().__init__(indices, batch_size, seed=seed, shard=shard, classes=classes)
        self._lengths = lengths

    def epoch(self, epoch: int) -> np.ndarray:
        """Return the indices in the epoch's order."""
        if self.seed is None:
            return self.indices[np.argsort(self._lengths[self.indices], kind="stable")]
        order = super().epoch(epoch)
        random = np.random.default_rng([self.seed, epoch, 0xBA7C])
        pool = POOL * self.batch_size
        for start in range(0, len(order), pool):
            drawn = order[start : start + pool]
            keys = self._lengths[drawn] * (1 + JITTER * random.random(len(drawn)))
            order[start : start + pool] = drawn[np.argsort(keys, kind="stable")]
        num_full = self.num_batches - 1
        whole = order[: num_full * self.batch_size].reshape(num_full, self.batch_size)
        turns = random.permutation(num_full)
        return np.concatenate([whole[turns].ravel(), order[num_full * self.batch_size :]])


def text_loader(
    ids: np.ndarray,
    offsets: np.ndarray,
    labels: np.ndarray,
    order: Order,
    *,
    max_length: int,
    empty: int,
    characters: Characters | None = None,
) -> ArrayLoader:
    """Return a loader of batches from flat token ids; texts longer than `max_length` are truncated.

    A batch is {"tokens": (N, T) int64, padded with 0, "lengths", "labels", "rows": (N,) int64}; `rows` are the texts'
    indices in the split. With characters it also has "characters", (N, S) int64, padded with 0, and
    "character_lengths", (N,) int64.

    Args:
        ids: (L,) integers, the tokens of all texts, concatenated.
        offsets: (M + 1,) offset of each text, and the end of the last.
        labels: (M,) class indices.
        order: which texts are in which batches.
        max_length: maximum number of tokens of a text.
        empty: the token that replaces an empty text.
        characters: those of all texts, for networks that read them.
    """
    targets = torch.from_numpy(np.ascontiguousarray(labels))

    def fetch(rows: np.ndarray, _: Mapping[str, Any]) -> Batch:
        tokens, lengths = pad(ids, offsets, rows, max_length=max_length, empty=empty)
        arrays = {"tokens": tokens, "lengths": lengths}
        if characters is not None:
            arrays |= character_arrays(characters, rows)
        inputs = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return {**inputs, "labels": targets[rows], "rows": torch.from_numpy(rows)}

    return ArrayLoader(order, fetch)


def character_arrays(characters: Characters, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return the texts of these rows as `characters`, (N, S) int64 padded with 0, and `character_lengths`, (N,)."""
    codes, offsets = characters.codes, characters.offsets
    longest = int(np.diff(offsets).max(initial=1))
    codes, lengths = pad(codes, offsets, rows, max_length=longest, empty=NO_CHARACTERS)
    return {"characters": codes, "character_lengths": lengths}


def pad(
    ids: np.ndarray, offsets: np.ndarray, rows: np.ndarray, *, max_length: int, empty: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the texts of these rows, (N, T) int64 padded with 0, and their lengths, (N,) int64, all at least 1.

    Args:
        ids, offsets, max_length, empty: as in `text_loader`.
        rows: (N,) indices of the texts.
    """
    starts = offsets[rows]
    counts = np.minimum(offsets[rows + 1] - starts, max_length)
    lengths = np.maximum(counts, 1)
    tokens = np.zeros((len(rows), int(lengths.max(initial=1))), dtype=np.int64)
    is_token = np.arange(tokens.shape[1]) < counts[:, None]
    places = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(starts, counts)
    tokens[is_token] = ids[places]
    tokens[counts == 0, 0] = empty
    return tokens, lengths.astype(np.int64)
