"""Defaults for a dataset and a network; flags and config files override them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcli.models.images.published import is_installed
from dlcli.tasks.multilabel.config import SCRATCH

BACKBONE = "efficientnet_lite0"
"""What a training starts from where its weights are installed."""

PLAIN: dict[str, Any] = {
    # As for a user's own photos in classification: AdamW, one cycle.
    "epochs": 20,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "weight_decay": 0.05,
    "schedule": "onecycle",
}

FINE_TUNED: dict[str, Any] = {
    # The groups of classification's photos: early layers stay, batch norms keep their statistics. The head is fresh, so
    # it and the late layers learn faster than where a regression has fitted it.
    **PLAIN,
    "epochs": 10,
    "batch_size": 16,
    "learning_rate": (0.0, 3e-4, 3e-3),
    "freeze_norms": True,
}


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults for a dataset, given the user's own options.

    Args:
        dataset: the name of the dataset; it changes nothing.
        given: the user's options, of which `model`, `width` and `pretrained` change the defaults.
        data: the folder of the images; it changes nothing.
    """
    del dataset, data
    model, pretrained = given.get("model"), given.get("pretrained")
    is_open = model in (None, BACKBONE) and pretrained in (None, "default") and given.get("width") is None
    if is_open and is_installed(BACKBONE):
        return {**FINE_TUNED, "model": BACKBONE, "pretrained": "default"}
    return dict(PLAIN if pretrained in (None, SCRATCH) else FINE_TUNED)
