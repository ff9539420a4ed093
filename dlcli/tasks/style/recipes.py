"""Defaults for a dataset and a network; flags and config files override them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcli.tasks.style.networks import CYCLEGAN

PUBLISHED: dict[str, Any] = {
    # Zhu et al. 2017, appendix 7.1; Isola et al. 2017, section 3.3, with a constant rate.
    "batch_size": 1,
    "optimizer": "adam:0.5,0.999",
    "learning_rate": 2e-4,
    "weight_decay": 0.0,
    "schedule": "linear:hold=0.5",
    # The rest is for two CPU cores, where the published 200 epochs at 256 pixels take weeks.
    "epochs": 20,
    "ema": 0.999,
}

CYCLEGAN_IN_MINUTES: dict[str, Any] = {
    # Chosen by `kid_lite0` of held-out training images of apple2orange after minutes on a CPU, see docs/log.md. Changes
    # are added to the image, which makes the identity loss unnecessary; with it, hardly anything changes in that time.
    "residual": True,
    "identity_weight": 0.0,
    "upsampling": "resize",
    "width": 16,
    "learning_rate": 5e-4,
}


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults for a dataset, given the user's own options.

    Args:
        dataset: the name of the dataset; it changes nothing.
        given: the user's options, of which `model` changes the defaults.
        data: the folder of the images; it changes nothing.
    """
    del dataset, data
    is_cyclegan = (given.get("model") or CYCLEGAN) == CYCLEGAN
    chosen = {**PUBLISHED, **(CYCLEGAN_IN_MINUTES if is_cyclegan else {})}
    if given.get("generator") == "unet":
        chosen.pop("upsampling", None)
    return chosen
