"""Defaults for a dataset and a detector, each with its source; flags and config files override them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcli.models.images.published import is_installed
from dlcli.tasks.detection.config import SCRATCH
from dlcli.tasks.detection.networks import BODY, SCRATCH_BODY

WREN: dict[str, Any] = {
    # Measured on 292 and 157 photos (blood cells, raccoons), one thread: AdamW with a short second moment, clipped
    # gradients (an image without a good match gives large ones), a cosine to 1 %, averaged weights.
    "model": "wren",
    "epochs": 30,
    "batch_size": 8,
    "optimizer": "adamw:0.9,0.99",
    "learning_rate": 1e-3,
    "weight_decay": 0.05,
    "schedule": "cosine:end=0.01",
    "warmup": 1.0,
    "clip_norm": 10.0,
    "ema": 0.998,
}

FINE_TUNED_RATES = (5e-4, 2e-3, 2e-3)
"""Wren's rates of a pretrained backbone, of neck and head, and of the head's last layer.

By validation inside the training part they beat 1e-3 for all in each of five pairs of runs (docs/log.md).
"""

SINGLE: dict[str, Any] = {
    # The lesson's: Adam, a one-cycle of one net at 224 pixels.
    "epochs": 10,
    "batch_size": 32,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "onecycle:32,0.2",
    "image_size": 224,
}

SSD: dict[str, Any] = {
    "epochs": 30,
    "batch_size": 8,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 5e-4,
    "schedule": "onecycle",
    "clip_norm": 10.0,
    "ema": 0.998,
}

DETR: dict[str, Any] = {
    # Carion et al. 2020 (arXiv:2005.12872): AdamW at 1e-4, gradients clipped at 0.1, with more epochs than the others.
    "epochs": 100,
    "batch_size": 8,
    "optimizer": "adamw",
    "learning_rate": 2e-4,
    "weight_decay": 1e-4,
    "warmup": 1.0,
    "clip_norm": 0.1,
    "ema": 0.998,
}

TORCHVISION: dict[str, Any] = {
    # references/detection/train.py of torchvision, with AdamW in place of SGD for few images.
    "epochs": 20,
    "batch_size": 4,
    "optimizer": "adamw",
    "learning_rate": 2e-4,
    "weight_decay": 1e-4,
    "warmup": 1.0,
    "clip_norm": 10.0,
}

MASK_RCNN: dict[str, Any] = {**TORCHVISION, "model": "maskrcnn", "learning_rate": 5e-4, "schedule": "cosine:end=0.01"}

BY_MODEL: Mapping[str, dict[str, Any]] = {
    "wren": WREN,
    "single": SINGLE,
    "ssd": SSD,
    "ssd-lesson": SSD,
    "detr": DETR,
    "maskrcnn": MASK_RCNN,
}


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults for a dataset, given the user's own options.

    Args:
        dataset: the name of the dataset.
        given: the user's options, of which `model`, `backbone` and `pretrained` change the defaults.
        data: the folder of the images; it changes nothing.
    """
    del dataset, data
    model = str(given.get("model") or "wren")
    chosen = dict(BY_MODEL.get(model, TORCHVISION))
    if model not in BY_MODEL:
        return chosen
    body, pretrained = given.get("backbone"), given.get("pretrained")
    if body is None:
        has_weights = pretrained not in (None, SCRATCH) or (pretrained is None and is_installed(BODY))
        body = SCRATCH_BODY if model == "wren" and not has_weights else BODY  # the other networks need other maps
        chosen["backbone"] = body
    if pretrained is None and is_installed(str(body)):
        chosen["pretrained"] = "default"
    is_fine_tuned = chosen.get("pretrained", pretrained) not in (None, SCRATCH)
    if model == "wren" and is_fine_tuned:
        chosen["learning_rate"] = FINE_TUNED_RATES
    if model == "wren" and given.get("freeze") is None:
        chosen["freeze_early"] = is_fine_tuned
    return chosen
