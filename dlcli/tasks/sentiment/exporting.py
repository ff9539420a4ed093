"""The export of a text classifier: its inputs are sequences with their lengths, tokens and for some also characters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from dlcli.export.plan import PARITY_BATCHES, ExportPlan, cut_samples, single_graph

TOKENS = ("tokens", "lengths")
CHARACTERS = ("characters", "character_lengths")
CODES = 1 << 16
"""The end of the code points that random texts are made of."""


@dataclass(frozen=True)
class Sequences:
    """An input of sequences.

    Attributes:
        name: its name.
        lengths: the name of the input with their lengths.
        highest: the end of its values.
    """

    name: str
    lengths: str
    highest: int


def sequences_of(vocab_size: int, *, has_characters: bool) -> list[Sequences]:
    """Return the inputs of a network that are sequences."""
    tokens = Sequences(*TOKENS, vocab_size)
    return [tokens, Sequences(*CHARACTERS, CODES)] if has_characters else [tokens]


def random_texts(sequences: Sequence[Sequences]) -> dict[str, np.ndarray]:
    """Return inputs by name, of 1 to 40 random items."""
    total, random = sum(PARITY_BATCHES), np.random.default_rng(0)
    lengths = np.linspace(1, 40, total).astype(np.int64)
    arrays: dict[str, np.ndarray] = {}
    for each in sequences:
        items = random.integers(1, each.highest, (total, 40)) * (np.arange(40) < lengths[:, None])
        arrays |= {each.name: items, each.lengths: lengths}
    return arrays


def text_plan(
    model: nn.Module, sequences: Sequence[Sequences], arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]
) -> ExportPlan:
    """Return the plan of a text classifier.

    Args:
        model: its inputs -> (N, C) logits.
        sequences: its inputs.
        arrays: texts as inputs by name, from short to long.
        metadata: see `ExportPlan`.
    """
    samples = []
    for sample in cut_samples(arrays):
        for each in sequences:
            sample[each.name] = sample[each.name][:, : int(sample[each.lengths].max())]
        samples.append({name: array[::-1].copy() for name, array in sample.items()})
    example: dict[str, torch.Tensor] = {}
    dynamic: dict[str, dict[int, str]] = {}
    generator = torch.Generator().manual_seed(0)
    for each in sequences:
        # two texts of unequal lengths, so that the example's sizes are not those of any sample
        width = 11 if each.name == "tokens" else 23
        example |= {each.name: torch.randint(1, each.highest, (2, width), generator=generator)}
        example |= {each.lengths: torch.tensor([width, 6])}
        dynamic |= {each.name: {0: "batch", 1: "time" if each.name == "tokens" else each.name}}
        dynamic |= {each.lengths: {0: "batch"}}
    inputs = tuple(example)
    return single_graph(
        model,
        inputs=inputs,
        outputs=("logits",),
        samples=samples,
        example=example,
        dynamic=dynamic,
        metadata=metadata,
    )
