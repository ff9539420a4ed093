"""The description that makes a checkpoint or an exported file self-contained: names, options, assets. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from dlcli.core.config import resolve, split_values
from dlcli.core.errors import RunError
from dlcli.core.registry import TaskSpec, get_task, load_object
from dlcli.core.train_config import TrainConfig


@dataclass(frozen=True)
class Description:
    """A model without its weights: enough to build it, to predict with it and to open its data again.

    Attributes:
        task: the task's name.
        config: every resolved option, flat.
        assets: the JSON values stored with a run: labels, preprocessing, vocabulary.
        model, dataset: their names.
        run: the run's name.
    """

    task: str
    config: Mapping[str, Any]
    assets: Mapping[str, Any]
    model: str
    dataset: str
    run: str

    @property
    def spec(self) -> TaskSpec:
        """The task's entry in the registry."""
        return get_task(self.task)

    def configs(self, origin: str) -> tuple[Any, TrainConfig]:
        """Return the task's and the loop's configuration.

        Raises:
            UsageError: an option is unknown or out of range.
        """
        return stored_configs(self.spec, self.config, origin)


DESCRIPTION_TYPES: Mapping[str, type] = {
    field.name: dict if field.name in ("config", "assets") else str for field in fields(Description)
}
"""Key -> the type of its JSON value."""


def read_description(values: Any, where: str) -> Description:
    """Return the description from the JSON values in a file; unknown keys are ignored.

    Raises:
        RunError: a key is missing or its value has the wrong type.
    """
    if not isinstance(values, Mapping):
        raise RunError(f"{where}: its description is damaged: not a mapping")
    for key, kind in DESCRIPTION_TYPES.items():
        if not isinstance(values.get(key), kind):
            found = "missing" if key not in values else f"not a {kind.__name__}"
            raise RunError(f"{where}: its description is damaged: {key!r} is {found}")
    return Description(**{key: values[key] for key in DESCRIPTION_TYPES})


def stored_configs(spec: TaskSpec, values: Mapping[str, Any], origin: str) -> tuple[Any, TrainConfig]:
    """Return the task's and the loop's configuration from the options stored in a run.

    Raises:
        UsageError: an option is unknown or out of range.
    """
    config_class = load_object(spec.config)
    own, shared = split_values(values, config_class, TrainConfig, origin=origin)
    return resolve(config_class, [own]), resolve(TrainConfig, [shared])
