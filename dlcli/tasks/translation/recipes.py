"""Defaults for a translator; flags and config files override them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAIRS: dict[str, Any] = {
    # Small data (some 30,000 pairs): a small pre-norm transformer, as others train on sets of this size. One cycle of
    # warm-up and decay (Smith & Topin 2017, arXiv:1708.07120) ends where the inverse root of the paper would still be
    # at half of its peak. Batches count tokens of both sides; label smoothing 0.1 as in the paper.
    "model": "transformer",
    "epochs": 20,
    "batch_size": 4096,
    # After two epochs the perplexity was 27, with AdamW 51 (docs/log.md).
    "optimizer": "muon",
    "learning_rate": 0.02,
    "weight_decay": 0.01,
    "schedule": "onecycle",
    "clip_norm": 1.0,
}

BY_MODEL: dict[str, dict[str, Any]] = {
    # Muon orthogonalises linear layers, and a recurrent network has its weights in its cells.
    "seq2seq": {"optimizer": "adamw", "learning_rate": 2e-3, "epochs": 15},
}

FEED_FORWARD = 512
"""Of the network's own width: twice, not four times it, which is a quarter less work (docs/benchmarks.md)."""

ADAMW_RATE = 1e-3
"""The rate of a transformer whose optimizer the user chose: Muon's is no rate for another one."""


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults, given the user's own options, of which `model`, `optimizer` and `width` change them."""
    del dataset, data
    model = str(given.get("model") or PAIRS["model"])
    chosen = {**PAIRS, **BY_MODEL.get(model, {})}
    if model == "transformer" and given.get("width") is None:
        chosen["feed_forward"] = FEED_FORWARD
    if chosen["optimizer"] == "muon" and given.get("optimizer") not in (None, "muon"):
        chosen["learning_rate"] = ADAMW_RATE
    return chosen
