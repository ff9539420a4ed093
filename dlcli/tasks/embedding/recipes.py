"""Defaults for word vectors; flags and config files override them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

WORDS: dict[str, Any] = {
    # The paper steps after each word, with a rate that falls to zero. Batches of a thousand words and more need the
    # steps of Adam: lazy per row, since words that are not in a batch keep their vectors.
    "model": "skipgram",
    "epochs": 10,
    "batch_size": 2048,
    "optimizer": "lazyadam",
    "learning_rate": 5e-3,
    "weight_decay": 0.0,
    "schedule": "onecycle",
}


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults; neither the dataset nor the user's options change them."""
    del dataset, given, data
    return WORDS
