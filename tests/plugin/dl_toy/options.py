"""What the command line can be told and what it lists: free of torch and numpy, so that help answers at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.config import option
from dlcli.core.registry import Network

NETWORKS: Mapping[str, Network] = {
    "toy-linear": Network("dl_toy.task:build_linear", "one layer", "none"),
    "toy-mlp": Network("dl_toy.task:build_mlp", "two layers with a tanh between", "none"),
}


@dataclass(frozen=True)
class ToyConfig:
    """What `dl train toy` can be told, beside the options of the loop."""

    model: str = option("toy-linear", "the network", choices=tuple(NETWORKS), short="m")
    width: int = option(16, "units of the hidden layer", minimum=1)


@dataclass(frozen=True)
class ToyDataOptions:
    """What `dl prepare toy-data` can be told."""

    noise: float = option(0.01, "standard deviation of the noise", minimum=0.0)


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults that suit a dataset under what the user has given."""
    del dataset, given, data
    return {"epochs": 20, "batch_size": 16, "learning_rate": 0.05, "weight_decay": 0.0}
