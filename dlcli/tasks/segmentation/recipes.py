"""Defaults for a dataset and a network; flags and config files override them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcli.models.images.published import is_installed
from dlcli.tasks.segmentation.config import SCRATCH
from dlcli.tasks.segmentation.networks import BACKBONE

PLAIN: dict[str, Any] = {
    # As for detectors: AdamW, with one cycle in place of averaged weights.
    "epochs": 30,
    "batch_size": 8,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 0.05,
    "schedule": "onecycle",
}


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults for a dataset, given the user's own options.

    Args:
        dataset: the name of the dataset; it changes nothing.
        given: the user's options, of which `model`, `backbone` and `pretrained` change the defaults.
        data: the folder of the images; it changes nothing.
    """
    del dataset, data
    chosen = dict(PLAIN)
    body, pretrained = given.get("backbone"), given.get("pretrained")
    if given.get("model") not in (None, "unet"):
        return chosen
    if body is None and pretrained != SCRATCH and (pretrained is not None or is_installed(BACKBONE)):
        body = chosen["backbone"] = BACKBONE
    if pretrained is None and body is not None and is_installed(str(body)):
        chosen["pretrained"] = "default"
    return chosen
