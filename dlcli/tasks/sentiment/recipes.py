"""Defaults for a text classifier; flags and config files override them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcli.core.errors import DataError
from dlcli.data.card import read_card

TEXTS: dict[str, Any] = {
    # Adam as in every paper of these networks; one cycle of warm-up and decay (Smith & Topin 2017, arXiv:1708.07120),
    # because an embedding overfits after a few epochs. Lazy per row: words not in a batch keep their vectors.
    "model": "tfidf",
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
    # Computed before the first step; the epoch only measures it.
    "tfidf": {"epochs": 1, "batch_size": 256},
    # Its linear path has one minimum, to which its penalty leads: so the rate may be high.
    "wide-deep": {"learning_rate": 5e-3, "epochs": 6},
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

TRAINED = "lstm"
"""The default where an option is given that only a trained network has.

Else it is the linear one, above the floor where no trained network is (docs/benchmarks.md)."""

SIZES = ("embedding_dim", "hidden", "layers", "bidirectional", "dropout")
LEARNING = ("epochs", "learning_rate", "optimizer", "weight_decay", "schedule", "warmup", "patience", "freeze", "ema")
STARTS = ("embedding", "pretrained", "label_smoothing", "loss", "teacher", "distill", "ensemble")
OF_TRAINED = (*SIZES, *LEARNING, *STARTS)

LINEAR = ("wide-deep",)
STEPS_FOR = 30_000
"""Texts that a linear path has to see until its weights settle: those of few texts more often, at most 30 times."""
MANY = 50_000
MOST_EPOCHS, FEWEST_EPOCHS = 30, 4
"""With at least `MANY` texts, 4 epochs are enough."""


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults, given the user's own options.

    Args:
        dataset: the name of the dataset; it changes nothing.
        given: the user's own options; the model decides.
        data: the folder of the texts: with few of them the linear models are trained for more epochs.
    """
    del dataset
    usual = TRAINED if any(given.get(name) is not None for name in OF_TRAINED) else TEXTS["model"]
    model = str(given.get("model") or usual)
    chosen = {**TEXTS, "model": usual, **BY_MODEL.get(model, {})}
    count = _num_texts(data) if data is not None and model in LINEAR else None
    if count:
        wanted = math.ceil(STEPS_FOR / count)
        chosen["epochs"] = min(MOST_EPOCHS, max(wanted, chosen["epochs"] if count < MANY else FEWEST_EPOCHS))
    return chosen


def _num_texts(data: Path) -> int | None:
    """Return the number of training texts that the card of a folder names; None without a card that can be read."""
    try:
        card = read_card(data)
    except DataError:
        return None  # opening the data says what is wrong with it
    return card.num_items("train") if card is not None and "train" in card.splits else None
