"""The request for a training, and how its options are resolved. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dlcli.core.config import Layer, resolve, split_auto, split_values
from dlcli.core.registry import TaskSpec, load_object
from dlcli.core.train_config import TrainConfig


@dataclass(frozen=True)
class TrainRequest:
    """What to train.

    Attributes:
        spec: the task.
        dataset: the dataset's name.
        data: the prepared data.
        model: the network's name.
        config, train: the task's and the loop's resolved options.
        command: the exact command line.
        name: the run's name; None for the next free number.
        auto: the names of the loop's options to tune.
        folder: where the run's folder is created; None for `runs`.
        recipe: the options chosen by the recipe, for messages.
        origins: option -> where its value comes from, for all that have not their default.
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
    recipe: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)


def resolve_request(
    spec: TaskSpec,
    dataset: str,
    data: Path,
    layers: Sequence[Layer] = (),
    *,
    command: str = "",
    name: str | None = None,
    takes_recipe: bool = True,
) -> TrainRequest:
    """Return the request with resolved options: later layers override earlier ones, the recipe and the defaults.

    Args:
        spec: the task.
        dataset: the dataset's name, for the recipe.
        data: the prepared data.
        layers: options of the task and of the loop together, each layer with its origin.
        command: the command line, for the run.
        name: the run's name; None for the next free number.
        takes_recipe: False if a layer is a run's complete configuration, which already includes a recipe.

    Raises:
        UsageError: an option is unknown, has the wrong type or is out of range.
    """
    config_class = load_object(spec.config)
    pairs = [split_values(layer.values, config_class, TrainConfig, origin=layer.origin) for layer in layers]
    own, shared = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    shared, auto = split_auto(TrainConfig, shared)
    recipe: Mapping[str, Any] = {}
    if takes_recipe:
        given = {name: value for layer in (*own, *shared) for name, value in layer.values.items()}
        recipe = load_object(spec.recipe)(dataset, given, data)
    first = split_values(recipe, config_class, TrainConfig, origin="recipe")
    config, train = resolve(config_class, [first[0], *own]), resolve(TrainConfig, [first[1], *shared])
    if "threads" in auto:  # not an option to tune before the training, but the default, which a recipe may override
        train, auto = replace(train, threads=None), auto - {"threads"}
    origins = dict.fromkeys(recipe, "recipe")
    for layer in layers:
        names = [name.replace("-", "_") for name in layer.values]
        origins |= dict.fromkeys(names, "command line" if layer.origin is None else layer.origin)
    origins |= dict.fromkeys(auto, "measured")
    return TrainRequest(
        spec, dataset, data, config.model, config, train, command, name, auto, recipe=recipe, origins=origins
    )
