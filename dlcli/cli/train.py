"""`dl train TARGET`: train a network on prepared data and write a run directory."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dlcli.cli.options import Argument, Common, Values, make_command
from dlcli.cli.words import flag_value, pick_target
from dlcli.core.config import AUTO, Layer, fields_of, option, read_toml, to_dict
from dlcli.core.console import Console, format_figure
from dlcli.core.errors import DlError, RunError, UsageError
from dlcli.core.registry import DATASETS, TASKS, TaskSpec, all_datasets, all_tasks, get_task, load_object
from dlcli.core.run_dir import RunDir, resolve_run
from dlcli.core.train_config import MACHINE, TrainConfig, is_cross_validation
from dlcli.core.tune_dir import find_tune
from dlcli.engine.targets import Target, ensure_prepared, is_known, require_data, resolve_target

if TYPE_CHECKING:
    from dlcli.engine.request import TrainRequest

TOLD = ("epochs", "batch_size", "optimizer", "learning_rate", "schedule", "weight_decay")
"""Options named in the line about the chosen options, in addition to the network and those of the recipe."""


RESUMING = ("resume", "data", "devices", "json", "quiet", "verbose", "debug")
"""Options that a resumed run accepts, besides those of the machine."""


class SourceOptions(Protocol):
    """The options of a command that trains, on the file with further options."""

    @property
    def config(self) -> str | None: ...


@dataclass(frozen=True)
class TrainOptions:
    """Options of `dl train` on the source of a run's data, options and name."""

    data: str | None = option(None, "prepared data (default: data/DATASET)", metavar="DIR")
    config: str | None = option(None, "TOML file of options; flags override it", metavar="FILE")
    resume: str | None = option(None, "resume an interrupted run", metavar="RUN")
    origin: str | None = option(None, "start a new run with this run's options", flag="from", metavar="RUN")
    devices: int | None = option(None, "train with N processes, one per GPU", minimum=1, maximum=1024, is_advanced=True)
    name: str | None = option(None, "name of the run (default: DATASET-MODEL-N)", metavar="NAME")


def build(rest: list[str]) -> Any:
    """Return the command, with the options of the task that the line refers to."""
    target = _target_of_line(rest)
    spec = target.spec if target else None
    # Only the card is read for a help page: images would need numpy.
    data = target.data if target is not None and (target.data / "dataset.json").is_file() else None
    recipe = load_object(target.spec.recipe)(target.dataset, {}, data) if target else {}
    configs = [load_object(spec.config), TrainConfig] if spec else [TrainConfig]

    def run(values: Values) -> int | None:
        return _train(spec, values)

    # Looking for plugins takes 30 ms, so the help page omits them; the lists show them.
    epilog = (
        f"Targets: {', '.join([*TASKS, *DATASETS])}, or a prepared folder; `dl tasks` and `dl datasets` also list "
        "those of plugins. `dl train TARGET -h` shows a task's own options."
    )
    return make_command(
        "train",
        "Train a network on prepared data and print the path of the run.",
        run,
        arguments=[Argument("target", "a task, a dataset or a prepared folder", is_required=False)],
        configs=[TrainOptions, *configs],
        epilog=f"Defaults in brackets are for {target.dataset}." if target else epilog,
        defaults=recipe,
    )


def _target_of_line(rest: list[str]) -> Target | None:
    """Return the target of the line, before its options are known; the command has the options of its task.

    None for a line with an error, which is reported when the command runs.
    """
    configs = [TrainOptions, TrainConfig, Common, *(load_object(spec.config) for spec in TASKS.values())]
    word = pick_target(rest, is_known, configs)
    try:
        run = flag_value(rest, "--resume") or flag_value(rest, "--from")
        if run is not None:
            return target_of_run(resolve_run(run), None)
        return resolve_target(word, flag_value(rest, "--data")) if word is not None else None
    except DlError:
        return None


def _train(spec: TaskSpec | None, values: Values) -> int | None:
    console = values.console()
    options = values.resolve(TrainOptions)
    count = options.devices if options.devices is not None and "RANK" not in os.environ else 1
    if options.resume is not None:
        return _resume(options, values, console, count)
    origin = resolve_run(options.origin) if options.origin else None
    target = _target(values, options, origin)
    if spec is None or spec.name != target.spec.name:
        raise UsageError(f"dl train {target.spec.name}: name the target before its options")
    if count > 1:
        return _launch(count, console)
    request = _request(target, values, options, origin, console)
    has_folds = is_cross_validation(request.train)
    from dlcli.engine.runs.cross_validation import cross_validate
    from dlcli.engine.runs.training import start_training

    begin = cross_validate if has_folds else start_training
    run = begin(request, console, ensure_data=lambda: ensure_prepared(target, console.say))
    _finish(run, console)
    return None


def _launch(count: int, console: Console) -> int:
    """Run this command line as `count` processes here, and return its exit code."""
    from dlcli.cli.launching import launch

    words = sys.argv[1:]
    place = next(index for index, word in enumerate(words) if word.partition("=")[0] == "--devices")
    del words[place : place + (1 if "=" in words[place] else 2)]
    return launch(count, words, console)


def _target(values: Values, options: TrainOptions, origin: RunDir | None) -> Target:
    text = values.arguments["target"]
    if text is not None:
        return resolve_target(text, options.data)
    if origin is not None:
        return target_of_run(origin, options.data)
    raise UsageError(
        "which target?",
        hint=f"`dl train TARGET`, TARGET one of {', '.join([*all_tasks(), *all_datasets()])}, or a folder",
    )


def target_of_run(run: RunDir, data: str | None) -> Target:
    """Return the target of an existing run.

    Raises:
        RunError: the run does not name its task or data, or the task no longer exists.
    """
    try:
        spec = get_task(run.entry("task"))
    except UsageError as error:
        raise RunError(f"{run.info_file}: {error.message}", hint=error.hint) from None
    return Target(spec, run.entry("dataset"), Path(data or run.entry("data")))


def _request(
    target: Target, values: Values, options: TrainOptions, origin: RunDir | None, console: Console
) -> TrainRequest:
    """Return the request with its options resolved: flag > config file > the run of --from > recipe > default.

    Raises:
        UsageError: an option is wrong.
        DataError: the data is missing; checked before torch is imported, which takes seconds.
    """
    if {"budget", "epochs"} <= set(values.given):
        raise UsageError("--budget and --epochs cannot be combined", hint="--budget chooses the epochs; leave one out")
    from dlcli.engine.request import resolve_request

    typed = {**values.layer(load_object(target.spec.config)).values, **values.layer(TrainConfig).values}
    request = resolve_request(
        target.spec,
        target.dataset,
        target.data,
        [*stored_options(options, origin), Layer(None, typed)],
        command=shlex.join(["dl", *sys.argv[1:]]),
        name=options.name,
        takes_recipe=origin is None,
    )
    chosen = to_dict(request.config, request.train) | dict.fromkeys(request.auto, AUTO)
    console.say(_choice_line(target, chosen, request.recipe))
    require_data(target)
    return request


def stored_options(options: SourceOptions, origin: RunDir | None) -> list[Layer]:
    """Return the options stored in files: those of the --from run, overridden by those of the --config file."""
    layers = []
    if origin is not None:
        values = origin.config()
        if find_tune(str(origin.path.parent.parent)) is not None:
            values.pop("val_fold", None)  # a trial is a fold of its study; a run of its own is not
        layers.append(Layer(str(origin.config_file), values))
    if options.config is not None:
        table = read_toml(Path(options.config))
        _check_keys(table, options.config)
        layers.append(Layer(options.config, table))
    return layers


def _check_keys(table: Mapping[str, Any], path: str) -> None:
    """Check that a file has no option that says where the run comes from or what is printed.

    Raises:
        UsageError: it has one.
    """
    flags = {info.flag for config in (TrainOptions, Common) for info in fields_of(config)}
    for name in table:
        if name.replace("_", "-") in flags:
            raise UsageError(f"{path}: {name!r} is an option of the command line only", hint=f"type --{name} after it")


def _choice_line(target: Target, chosen: Mapping[str, Any], recipe: Mapping[str, Any]) -> str:
    told = ["budget" if name == "epochs" and "budget" in chosen else name for name in TOLD]
    names = [*told, *(name for name in recipe if name not in (*TOLD, "model"))]
    parts = [f"{name.replace('_', ' ')} {_short(chosen[name])}" for name in names if name in chosen]
    return f"{target.dataset} -> {chosen['model']}: {', '.join(parts)}"


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ",".join(map(_short, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _resume(options: TrainOptions, values: Values, console: Console, count: int) -> int | None:
    run = resolve_run(str(options.resume))
    ignored = [name for name in values.given if name not in (*RESUMING, *MACHINE)]
    if ignored:
        raise UsageError(
            f"--{ignored[0].replace('_', '-')}: the options of a resumed run cannot be changed, except those of the "
            f"machine: --{', --'.join([*MACHINE, 'devices'])}",
            hint=f"`dl train --from {run.reference}` starts a new run with its options and others",
        )
    if count > 1:
        return _launch(count, console)
    given = {name: value for name, value in values.given.items() if (name, value) != ("threads", AUTO)}
    train = Values(values.arguments, given).resolve(TrainConfig)  # in which no number of threads means auto
    machine = {name: vars(train)[name] for name in MACHINE if name in values.given}
    from dlcli.engine.runs.cross_validation import resume_cross_validation
    from dlcli.engine.runs.training import resume_training

    go_on = resume_cross_validation if run.holds_folds else resume_training
    _finish(go_on(run, Path(options.data) if options.data else None, console, machine), console)
    return None


def _split_to_evaluate(run: RunDir, *, has_valid: bool) -> str:
    """Return the option of `dl eval` for data without a test split, of which no fold is the test part either."""
    try:
        card, config = run.read_json(run.card_file.name), run.config()
        has_test = "test" in card["counts"] or not card["counts"] or not {"folds", "splits"}.isdisjoint(config)
    except (DlError, TypeError, KeyError):  # no card, or one of a plugin
        has_test = True
    return "" if has_test else f" --split {'valid' if has_valid else 'train'}"


def _finish(run: RunDir, console: Console) -> None:
    if console.is_mute:  # one of several processes, possibly on a machine without access to the run
        return
    info = run.info()
    best = info.get("best") or {}
    goal = info["goal"]
    if run.holds_folds:
        console.say(f"{info['folds']} folds: {_over_folds(goal, best)}")
    elif goal in best:
        console.say(
            f"best epoch {best['epoch']}: {goal} {format_figure(best[goal])} on the validation part, "
            f"{info['seconds']:.1f} s"
        )
    elif "loss" in best:  # no metric compares the epochs, so the last one counts
        console.say(f"last epoch {best['epoch']}: training loss {format_figure(best['loss'])}, {info['seconds']:.1f} s")
    console.say(f"next: dl eval {run.reference}{_split_to_evaluate(run, has_valid=goal in best)}")
    if console.is_json:
        console.answer_json("train", {"run": str(run.path), "best": best, "seconds": info["seconds"]})
    else:
        console.answer(str(run.path))


def _over_folds(goal: str, best: Mapping[str, Any]) -> str:
    """Return the goal of a cross-validation over all predictions, with mean and standard error of its folds if any."""
    if best.get(goal) is None:
        return f"{goal} is undefined"
    mean, error = best.get("fold_mean"), best.get("standard_error")
    by_fold = (
        "" if mean is None else f" (by fold {format_figure(mean)} ± {format_figure(error or 0.0)}, standard error)"
    )
    return f"{goal} {format_figure(best[goal])} over all predictions{by_fold}"
