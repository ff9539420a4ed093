"""Defaults for a language model; flags and config files override them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

TEXTS: dict[str, Any] = {
    # AdamW and one cycle of warm-up and decay (Smith & Topin 2017, arXiv:1708.07120), as for the other text tasks; the
    # gradient is clipped, as in every paper on recurrent language models.
    "model": "lstm",
    "epochs": 8,
    "batch_size": 32,
    "optimizer": "adamw",
    "learning_rate": 4e-3,
    "weight_decay": 0.01,
    "schedule": "onecycle",
    "clip_norm": 1.0,
}

BY_MODEL: dict[str, dict[str, Any]] = {
    # Fitted before the first step; the epoch only measures what was counted.
    "ngram": {"epochs": 1, "batch_size": 256},
    "rnn": {"learning_rate": 2e-3},
    "feedforward": {"learning_rate": 2e-3},
    "transformer": {"learning_rate": 2e-3},
}


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults, given the user's own options, of which `model` changes them."""
    del dataset, data
    return {**TEXTS, **BY_MODEL.get(str(given.get("model") or TEXTS["model"]), {})}
