"""Defaults for a dataset and a network, each with its source; flags and config files override them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

DCGAN: dict[str, Any] = {
    # Radford et al. 2016, section 4: Adam at 2e-4 with a momentum of 0.5, a constant rate. Samples are of the
    # average of the weights; without it they change from step to step.
    "optimizer": "adam:0.5,0.999",
    "learning_rate": 2e-4,
    "weight_decay": 0.0,
    "schedule": "constant",
    "batch_size": 64,
    "epochs": 25,
    "ema": 0.999,
    "val_fraction": 0.0,
}

BY_MODEL: Mapping[str, dict[str, Any]] = {
    "gan": DCGAN,
    "dcgan": DCGAN,
    # Gulrajani et al. 2017, algorithm 1: momentum harms a critic that is far ahead.
    "wgan-gp": {**DCGAN, "optimizer": "adam:0,0.9", "learning_rate": 1e-4},
}


DIGITS: Mapping[str, dict[str, Any]] = {
    # 22 steps an epoch: at the published rates nothing is learned in minutes. Measured with a classifier as the judge,
    # on one core: dcgan in 10 s, gan and wgan-gp in 20 s; conditional dcgan makes the requested class in 93 %.
    "gan": {"latent": 32, "learning_rate": 5e-4, "ema": 0.99, "epochs": 60},
    "dcgan": {"width": 32, "latent": 32, "learning_rate": 1e-3, "ema": 0.99, "epochs": 25},
    "wgan-gp": {"width": 32, "latent": 32, "learning_rate": 1e-3, "ema": 0.99, "epochs": 60},
}

MNIST: Mapping[str, dict[str, Any]] = {
    # A quarter of the published width: an epoch of dcgan takes a minute of one core.
    "gan": {"latent": 64, "learning_rate": 5e-4, "ema": 0.99, "epochs": 10},
    "dcgan": {"width": 16, "latent": 64, "learning_rate": 5e-4, "ema": 0.99, "epochs": 3},
    "wgan-gp": {"width": 16, "latent": 64, "learning_rate": 5e-4, "ema": 0.99, "epochs": 5},
}

BY_DATASET: Mapping[str, Mapping[str, dict[str, Any]]] = {"digits": DIGITS, "mnist": MNIST, "fashion-mnist": MNIST}


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults for a dataset, given the user's own options.

    Args:
        dataset: the name of the dataset.
        given: the user's options, of which `model` changes the defaults.
        data: the folder of the images; it changes nothing.
    """
    del data
    model = str(given.get("model") or "dcgan")
    return {**BY_MODEL.get(model, DCGAN), **BY_DATASET.get(dataset, {}).get(model, {})}
