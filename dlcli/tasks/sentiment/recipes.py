"""Defaults for a text classifier; flags and config files override them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

TEXTS: dict[str, Any] = {
    # Adam at 1e-3, as in every paper of these networks; one cycle of warm-up and decay (Smith & Topin 2017,
    # arXiv:1708.07120), because an embedding overfits after a few epochs. Lazy per row: words not in a batch keep their
    # vectors.
    "model": "lstm",
    "epochs": 5,
    "batch_size": 64,
    "optimizer": "lazyadam",
    "learning_rate": 2e-3,
    "weight_decay": 0.0,
    "schedule": "onecycle",
    "clip_norm": 1.0,
}

BY_MODEL: dict[str, dict[str, Any]] = {
    "rnn": {"learning_rate": 5e-4},
    "transformer": {"learning_rate": 5e-4, "warmup": 0.5},
    "dpcnn": {"learning_rate": 1e-3},
    "fasttext": {"learning_rate": 2e-3},
    # Fine-tuning as in Devlin et al. 2018, appendix A.3: 3 epochs, batches of 32, 2e-5, of which a tenth warms up.
    "bert": {
        "epochs": 3,
        "batch_size": 32,
        "optimizer": "adamw",
        "learning_rate": 2e-5,
        "weight_decay": 0.01,
        "schedule": "linear",
        "warmup": 0.3,
        "max_length": 126,  # 128 with [CLS] and [SEP]
    },
}


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults, given the user's own options, of which `model` changes them."""
    del dataset, data
    return {**TEXTS, **BY_MODEL.get(str(given.get("model") or TEXTS["model"]), {})}
