"""Defaults for a table, each with its source; flags and config files override them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcli.data.card import read_card
from dlcli.tasks.tables.networks import MEMBERS

# Small networks spend most of a step on call overhead, and regression needs every digit: fp32, without a trial of bf16.
TABLE: dict[str, Any] = {
    "epochs": 100,
    "batch_size": 128,
    "learning_rate": 3e-3,
    "weight_decay": 0.1,
    "schedule": "cosine",
    "precision": "fp32",
}

HOUSING: dict[str, Any] = {
    # Chosen by 10-fold cross-validation over partitions other than those that benchmarks/housing.py reports. The whole
    # schedule over all rows beats choosing an epoch by a validation part; the census capped prices at 50.
    **TABLE,
    "batch_size": 64,
    "learning_rate": 6e-3,
    "weight_decay": 0.3,
    "warmup": 5.0,
    "val_fraction": 0.0,
    "threads": 1,
    "activation": "silu",
    "loss": "smooth-l1",
    "bounded": True,
}

SMALL_REGRESSION: dict[str, Any] = {
    # Chosen on folds of scikit-learn's diabetes and of auto-mpg that benchmarks/tables.py does not report. A short
    # schedule over all rows: the epoch that is best on 10 % of 398 cars is so by chance (an RMSE of 3.05 rather than
    # 2.62), and 100 epochs without a validation part overfit the 442 patients (68.1 rather than 52.9).
    **TABLE,
    "epochs": 30,
    "batch_size": 64,
    "weight_decay": 0.3,
    "val_fraction": 0.0,
    "threads": 1,
    "activation": "silu",
    "dropout": 0.1,
    "loss": "smooth-l1",
    "ensemble": 4,
}

MEDIUM: dict[str, Any] = {
    # Of 100 epochs, four fifths bring 0.1 % on 20,000 rows: few epochs, large batches, and the best epoch by a
    # validation part. Chosen on a fold of generated tables other than those that benchmarks/tables.py reports.
    **TABLE,
    "epochs": 16,
    "batch_size": 512,
    "learning_rate": 1e-2,
    "patience": 5,
}

TABM_MEDIUM: dict[str, Any] = {
    # The paper's k = 32 (arXiv:2410.24210) costs eight times as much.
    "model": "tabm",
    "ensemble": 4,
    "numbers": "piecewise",
    "bins": 64,
}
"""The network of medium tables, unless the user names another."""

REALMLP: dict[str, Any] = {
    # The "tuned defaults" for regression of Holzmueller et al. 2024, arXiv:2407.04491, as in their pytabkit 1.8.0.
    "epochs": 256,
    "batch_size": 256,
    "optimizer": "adamw:beta2=0.95",
    "learning_rate": 0.2,
    "weight_decay": 0.02,
    "schedule": "coslog",
    "precision": "fp32",
    "hidden": "256,256,256",
    "activation": "mish",
    "dropout": 0.15,
    "numbers": "periodic",
    "scaling": "robust",
}

REALMLP_CLASSES: dict[str, Any] = {**REALMLP, "learning_rate": 0.04, "activation": "selu", "label_smoothing": 0.1}

MEDIUM_ROWS = 5_000
"""Rows of the training split from which a table is of medium size."""

BY_DATASET = {"housing": HOUSING}


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults of regression for a dataset, given the user's own options.

    Args:
        dataset: its name; `housing` has a recipe of its own.
        given: what the user chose.
        data: the prepared table; None, as for a help page, stands for a small one.
    """
    if given.get("model") == "realmlp":
        return {**REALMLP, "bounded": True}
    if dataset in BY_DATASET:
        return {**BY_DATASET[dataset], **_members(given)}
    return _by_size(given, data, SMALL_REGRESSION)


def classification_recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults of classification; those of `housing` contain options that only regression has."""
    del dataset
    if given.get("model") == "realmlp":
        return REALMLP_CLASSES
    return _by_size(given, data, TABLE)


def _by_size(given: Mapping[str, Any], data: Path | None, small: Mapping[str, Any]) -> dict[str, Any]:
    if _num_rows(data) < MEDIUM_ROWS:
        chosen = {**small, **_members(given)}
        if given.get("patience") is not None or str(given.get("schedule", "")).startswith("plateau"):
            chosen.pop("val_fraction", None)  # these compare epochs by a validation part
        return chosen
    chosen = {**MEDIUM, **(_members(given) if given.get("model") else TABM_MEDIUM)}
    if given.get("val_fraction") == 0:
        del chosen["patience"]  # without a validation part there is nothing to wait for
    return chosen


def _num_rows(data: Path | None) -> int:
    """Return the number of rows of the training split; 0 where there is no prepared table, which training reports."""
    card = read_card(data) if data is not None and data.is_dir() else None
    return card.num_items("train") if card is not None else 0


def _members(given: Mapping[str, Any]) -> dict[str, Any]:
    count = MEMBERS.get(str(given.get("model")))
    return {"ensemble": count} if count else {}
