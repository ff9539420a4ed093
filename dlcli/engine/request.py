"""What is to be trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.registry import TaskSpec
from dlcli.core.train_config import TrainConfig


@dataclass(frozen=True)
class TrainRequest:
    """What to train.

    Attributes:
        spec: the task.
        dataset: the dataset's name.
        data: the prepared data.
        model: the network's name.
        config, train: the task's and the loop's options, resolved.
        command: the exact command line.
        name: the run's name, or None for the next free number.
        auto: the loop's options that are to be found by trying.
        folder: where the run's folder is made; None for `runs`.
    """

    spec: TaskSpec
    dataset: str
    data: Path
    model: str
    config: Any
    train: TrainConfig
    command: str
    name: str | None = None
    auto: frozenset[str] = frozenset()
    folder: Path | None = None
