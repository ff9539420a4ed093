"""Batches of token sequences, with which the graphs of language models and translators are proven."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dlcli.export.plan import PARITY_BATCHES, Arrays

Names = tuple[str, str]
"""Of the tokens, and of their numbers: the inputs of a graph."""


def sequence_batches(sequences: Sequence[np.ndarray], names: Names) -> list[dict[str, np.ndarray]]:
    """Return batches of the sizes `PARITY_BATCHES`; sequences repeat if there are too few.

    Args:
        sequences: at least one, (T,) int64 each.
        names: see `padded`.
    """
    ends = np.cumsum(PARITY_BATCHES)
    return [
        padded([sequences[number % len(sequences)] for number in range(end - size, end)], names)
        for size, end in zip(PARITY_BATCHES, ends, strict=True)
    ]


def padded(sequences: Sequence[np.ndarray], names: Names) -> dict[str, np.ndarray]:
    """Return sequences (T,) as one batch: tokens (N, longest T) int64 with zeros behind the end, and lengths (N,)."""
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    tokens = np.zeros((len(sequences), int(lengths.max())), np.int64)
    for row, sequence in zip(tokens, sequences, strict=True):
        row[: len(sequence)] = sequence
    return dict(zip(names, (tokens, lengths), strict=True))


def as_tensors(arrays: Arrays) -> dict[str, Tensor]:
    """Return copies of arrays as tensors, by the same names."""
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
