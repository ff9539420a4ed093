"""How a task is made: from data, from the assets of a run, or around a network alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from dlcli.core.train_config import TrainConfig
from dlcli.engine.task import Task


class TaskFactory(Protocol):
    """The class that `TaskSpec.task` refers to."""

    @classmethod
    def from_data(cls, config: Any, train: TrainConfig, data: Path) -> Task:
        """Return the task with a new network for the prepared data.

        Raises:
            DataError: the data is missing, invalid, or not of the task's form.
            UsageError: an option does not fit the data.
        """
        ...

    @classmethod
    def from_assets(cls, config: Any, train: TrainConfig, assets: Mapping[str, Any], data: Path | None) -> Task:
        """Return the task described by a run, its weights not yet loaded; `data` is for evaluation.

        Raises:
            RunError: the assets are damaged.
            DataError: the data does not fit the run (an unknown class).
        """
        ...

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> Task:
        """Return the task with a network alone: newly initialised, for `dl models` and for export, or ready to answer.

        Args:
            name: the network's.
            size: the user's choice of `image_size`, `channels` and `num_classes`; the network has defaults for the
                rest. `check_sizes` rejects those that the task does not support.
            pretrained: None; "default" for the network's published weights, or a file of weights. They determine the
                assets (classes, preprocessing); what is assumed about a file is among the task's notes. A task whose
                answers depend on more than weights refuses them (`refuse_weights`).

        Raises:
            UsageError: there is no such network, it does not support one of the sizes, or it has no ready weights.
            ValueError: it cannot be built at that size.
            DataError: the published weights are not there.
            RunError: the file of weights is missing, damaged or does not fit.
        """
        ...
