"""The request for a training, and how its options are resolved. Torch-free."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dlcli.core.config import AUTO, Layer, read_toml, resolve, split_auto, split_values, to_dict
from dlcli.core.errors import UsageError
from dlcli.core.registry import TaskSpec, load_object
from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import MACHINE, TrainConfig
from dlcli.core.tune_dir import find_tune
from dlcli.engine.targets import Target

NOT_OF_A_RUN = ("data", "config", "resume", "from", "devices", "name", "json", "quiet", "verbose", "debug")
"""Flags that say where a run comes from, what it is called or what is printed; no file of options has them."""

LENGTH = ("epochs", "max_steps", "precision")
"""What a --budget chooses by a timing for the size of network it takes."""

EXCLUSIVE = (("budget", "epochs"), ("ema", "average_epochs"))
"""Options of which the later one counts, wherever the other stands."""

TOLD = ("epochs", "batch_size", "optimizer", "learning_rate", "schedule", "weight_decay")
"""Options named in the line about the chosen options, in addition to the network and those of the recipe."""


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
        budgeted: option -> the value asked for, for those that have one that a --budget chose.
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
    budgeted: Mapping[str, Any] = field(default_factory=dict)


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
    own, shared = [pair[0] for pair in pairs], without_excluded([pair[1] for pair in pairs])
    shared, auto = split_auto(TrainConfig, shared)
    recipe: Mapping[str, Any] = {}
    if takes_recipe:
        given = {name: value for layer in (*own, *shared) for name, value in layer.values.items()}
        recipe = load_object(spec.recipe)(dataset, given, data)
    first = split_values(recipe, config_class, TrainConfig, origin="recipe")
    own, shared = [first[0], *own], without_excluded([first[1], *shared])
    config, train = resolve(config_class, own), resolve(TrainConfig, shared)
    if "threads" in auto:  # not an option to tune before the training, but the default, which a recipe may override
        train, auto = replace(train, threads=None), auto - {"threads"}
    origins: dict[str, str] = {}
    for layer in (*own, *shared):
        origins |= dict.fromkeys(layer.values, "command line" if layer.origin is None else layer.origin)
    origins |= dict.fromkeys(auto, "measured")
    return TrainRequest(
        spec, dataset, data, config.model, config, train, command, name, auto, recipe=recipe, origins=origins
    )


def without_excluded(layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers without the options of the loop that one in a later layer excludes."""
    kept: list[Layer] = []
    later: set[str] = set()
    for layer in reversed(layers):
        excluded = {
            one for pair in EXCLUSIVE for one, other in (pair, pair[::-1]) if other in later and one not in later
        }
        values = {name: value for name, value in layer.values.items() if name not in excluded}
        kept.insert(0, Layer(layer.origin, values))
        later |= {name for name, value in values.items() if value is not None}
    return kept


def request_for(
    target: Target,
    given: Layer,
    *,
    origin: RunDir | None = None,
    config: str | None = None,
    command: str = "",
    name: str | None = None,
) -> TrainRequest:
    """Return the request with its options resolved: given > config file > the run of --from > recipe > default.

    Args:
        target: the task, and the name and folder of its data.
        given: what the user typed, or passed as arguments.
        origin: the run whose options are the start.
        config: a TOML file of options.
        command: what was typed, for the run.
        name: the run's name; None for the next free number.

    Raises:
        UsageError: an option is wrong, or two of them exclude each other.
    """
    if {"budget", "epochs"} <= set(given.values):
        raise UsageError("--budget and --epochs cannot be combined", hint="--budget chooses the epochs; leave one out")
    if {"ema", "average_epochs"} <= set(given.values):
        raise UsageError("--ema and --average-epochs cannot be combined", hint="leave one of the two averages out")
    request = resolve_request(
        target.spec,
        target.dataset,
        target.data,
        [*stored_options(origin, config, given.values), given],
        command=command,
        name=name,
        takes_recipe=origin is None,
    )
    if origin is None:
        return request
    now, then = to_dict(request.config, request.train), origin.config()
    asked = {name: value for name, value in budgeted_of(origin).items() if now.get(name) == then.get(name)}
    return replace(request, budgeted=asked)


def budgeted_of(run: RunDir) -> dict[str, Any]:
    """Return `TrainRequest.budgeted` of a run.

    Raises:
        RunError: the run is damaged.
    """
    kept = run.info().get("budgeted")
    return kept if isinstance(kept, dict) else {}


def stored_options(origin: RunDir | None, config: str | None, given: Collection[str] = ()) -> list[Layer]:
    """Return the options stored in files: those of the run to start from, overridden by those of the TOML file.

    Args:
        origin: the run. What a budget chose for its length is not taken over beside another number of epochs, and
            nothing that it chose beside another budget.
        config: the TOML file.
        given: the names of the options that override both.

    Raises:
        UsageError: the file is missing or damaged, or has an option of the command line.
        RunError: the run's options are missing or damaged.
    """
    layers = []
    if config is not None:
        table = read_toml(Path(config))
        _check_keys(table, config)
        layers.append(Layer(config, table))
    if origin is not None:
        names = {*given, *(name for layer in layers for name in layer.values)}
        layers.insert(0, Layer(str(origin.config_file), _inherited(origin, names)))
    return layers


def _inherited(origin: RunDir, given: Collection[str]) -> dict[str, Any]:
    """Return a run's options for a new run to which these options are given."""
    values = origin.config()
    if find_tune(str(origin.path.parent.parent)) is not None:
        values.pop("val_fold", None)  # a trial is a fold of its study; a run of its own is not
    asked = budgeted_of(origin) if not {"budget", "epochs"}.isdisjoint(given) else {}
    values |= {name: value for name, value in asked.items() if "budget" in given or name in LENGTH}
    return {name: value for name, value in values.items() if value is not None}


def _check_keys(table: Mapping[str, Any], path: str) -> None:
    """Check that a file has no option that says where the run comes from or what is printed.

    Raises:
        UsageError: it has one.
    """
    for name in table:
        if name.replace("_", "-") in NOT_OF_A_RUN:
            raise UsageError(f"{path}: {name!r} is an option of the command line only", hint=f"type --{name} after it")


def machine_options(run: RunDir, given: Layer) -> dict[str, Any]:
    """Return the options that replace those of a run that is resumed.

    Raises:
        UsageError: one of those given is not of the machine, or is out of range.
    """
    ignored = [name for name in given.values if name not in MACHINE]
    if ignored:
        raise UsageError(
            f"--{ignored[0].replace('_', '-')}: the options of a resumed run cannot be changed, except those of the "
            f"machine: --{', --'.join([*MACHINE, 'devices'])}",
            hint=f"`dl train --from {run.reference}` starts a new run with its options and others",
        )
    asked = {name: value for name, value in given.values.items() if (name, value) != ("threads", AUTO)}
    train = resolve(TrainConfig, [Layer(given.origin, asked)])  # in which no number of threads means auto
    return {name: vars(train)[name] for name in given.values}


def choice_line(request: TrainRequest) -> str:
    """Return the line that says which options were chosen."""
    chosen = to_dict(request.config, request.train) | dict.fromkeys(request.auto, AUTO)
    told = ["budget" if name == "epochs" and "budget" in chosen else name for name in TOLD]
    names = [*told, *(name for name in request.recipe if name not in (*TOLD, "model"))]
    parts = [f"{name.replace('_', ' ')} {_short(chosen[name])}" for name in names if name in chosen]
    return f"{request.dataset} -> {chosen['model']}: {', '.join(parts)}"


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ",".join(map(_short, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
