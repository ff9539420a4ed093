"""Batches of sentence pairs: both sides padded, the target between its start and its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dlcli.data.loading import ArrayLoader, Batch
from dlcli.data.order import Order
from dlcli.data.parallel.tokenizers import END, START

MAX_LENGTH = 256
"""Tokens of a sentence that a batch holds at most, start and end not counted."""


@dataclass(frozen=True)
class SideArrays:
    """The token ids of the M sentences of one side.

    Attributes:
        ids: (L,) integers, the tokens of all sentences, concatenated, without start and end.
        offsets: (M + 1,) offset of each sentence, and the end of the last.
    """

    ids: np.ndarray
    offsets: np.ndarray

    def lengths(self, max_length: int = MAX_LENGTH) -> np.ndarray:
        """Return the number of tokens of each sentence, (M,) int64, at most `max_length`."""
        return np.minimum(np.diff(self.offsets), max_length).astype(np.int64)

    def padded(self, rows: np.ndarray, max_length: int, *, is_framed: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the sentences of these rows, (N, T) int64 padded with 0, and their lengths, (N,) int64.

        Args:
            rows: (N,) indices of the sentences.
            max_length: longer sentences lose their last tokens.
            is_framed: put START before and END behind each; they count.
        """
        starts = self.offsets[rows]
        counts = np.minimum(self.offsets[rows + 1] - starts, max_length).astype(np.int64)
        lengths = counts + 2 * is_framed
        tokens = np.zeros((len(rows), int(lengths.max(initial=1))), dtype=np.int64)
        columns = np.arange(tokens.shape[1])
        is_token = (columns >= int(is_framed)) & (columns < (counts + is_framed)[:, None])
        places = (
            np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(starts, counts)
        )
        tokens[is_token] = self.ids[places]
        if is_framed:
            tokens[:, 0] = START
            tokens[np.arange(len(rows)), counts + 1] = END
        return tokens, lengths


def parallel_loader(
    source: SideArrays,
    target: SideArrays,
    order: Order,
    *,
    max_length: int = MAX_LENGTH,
    sentences: Callable[[Sequence[int]], list[tuple[str, str]]] | None = None,
) -> ArrayLoader:
    """Return a loader of batches of sentence pairs; sentences longer than `max_length` are truncated.

    A batch is {"source": (N, S) int64, "target": (N, T) int64, both padded with 0, "source_lengths", "target_lengths",
    "rows": (N,) int64}. A target begins with START and ends with END, and its length counts both; `rows` are the pairs'
    indices in the split. For evaluation it also has the sentences themselves, `source_texts` and `target_texts`, lists
    of N strings, because a text is not always what its tokens decode to.

    Args:
        source, target: the token ids of each side.
        order: which pairs are in which batches.
        max_length: maximum number of tokens of a sentence, start and end not counted.
        sentences: (rows) -> pairs of source and target; None leaves the sentences out.
    """

    def fetch(rows: np.ndarray, _: Mapping[str, Any]) -> Batch:
        batch: Batch = {"rows": torch.from_numpy(np.ascontiguousarray(rows))}
        for name, side, is_framed in (("source", source, False), ("target", target, True)):
            tokens, lengths = side.padded(rows, max_length, is_framed=is_framed)
            batch |= {name: torch.from_numpy(tokens), f"{name}_lengths": torch.from_numpy(lengths)}
        if sentences is not None:
            pairs = sentences(rows.tolist())
            batch |= {"source_texts": [pair[0] for pair in pairs], "target_texts": [pair[1] for pair in pairs]}
        return batch

    return ArrayLoader(order, fetch)
