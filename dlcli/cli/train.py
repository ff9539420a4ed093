"""`dl train TARGET`: train a network on prepared data and write a run directory."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.cli.options import Values, make_command
from dlcli.cli.training_line import TARGET, epilog_of, recipe_of, target_of_options, target_word
from dlcli.cli.words import flag_value
from dlcli.core.config import Layer, option
from dlcli.core.console import Console, format_figure
from dlcli.core.errors import DlError
from dlcli.core.registry import TaskSpec, load_object
from dlcli.core.run_dir import RunDir, resolve_run
from dlcli.core.train_config import TrainConfig
from dlcli.engine.targets import Target, require_data, resolve_target, target_of_run

if TYPE_CHECKING:
    from dlcli.engine.request import TrainRequest

RESUMING = ("resume", "data", "devices", "json", "quiet", "verbose", "debug")
"""Options that a resumed run accepts, besides those of the machine (`engine.request.machine_options`)."""


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
    configs = [load_object(spec.config), TrainConfig] if spec else [TrainConfig]

    def run(values: Values) -> int | None:
        return _train(spec, values)

    more = "; `dl tasks` and `dl datasets` also list those of plugins. `dl train TARGET -h` shows a task's own options."
    return make_command(
        "train",
        "Train a network on prepared data and print the path of the run.",
        run,
        arguments=[TARGET],
        configs=[TrainOptions, *configs],
        epilog=epilog_of(target, more),
        defaults=recipe_of(target),
    )


def _target_of_line(rest: list[str]) -> Target | None:
    """Return the target of the line, before its options are known; the command has the options of its task.

    None for a line with an error, which is reported when the command runs.
    """
    word = target_word(rest, TrainOptions)
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
    target = target_of_options("train", spec, values.arguments["target"], options.data, origin)
    if count > 1:
        return _launch(count, console)
    request = _request(target, values, options, origin, console)
    from dlcli.engine.runs.beginning import begin_training

    run = begin_training(request, target, console)
    _finish(run, console)
    return None


def _launch(count: int, console: Console) -> int:
    """Run this command line as `count` processes here, and return its exit code."""
    from dlcli.cli.launching import launch

    words = sys.argv[1:]
    place = next(index for index, word in enumerate(words) if word.partition("=")[0] == "--devices")
    del words[place : place + (1 if "=" in words[place] else 2)]
    return launch(count, words, console)


def _request(
    target: Target, values: Values, options: TrainOptions, origin: RunDir | None, console: Console
) -> TrainRequest:
    """Return the request with its options resolved: flag > config file > the run of --from > recipe > default.

    Raises:
        UsageError: an option is wrong.
        DataError: the data is missing; checked before torch is imported, which takes seconds.
    """
    from dlcli.engine.request import choice_line, request_for

    typed = {**values.layer(load_object(target.spec.config)).values, **values.layer(TrainConfig).values}
    request = request_for(
        target,
        Layer(None, typed),
        origin=origin,
        config=options.config,
        command=shlex.join(["dl", *sys.argv[1:]]),
        name=options.name,
    )
    console.say(choice_line(request))
    require_data(target)
    return request


def _resume(options: TrainOptions, values: Values, console: Console, count: int) -> int | None:
    run = resolve_run(str(options.resume))
    given = {name: value for name, value in values.given.items() if name not in RESUMING}
    from dlcli.engine.request import machine_options

    machine = machine_options(run, Layer(None, given))
    if count > 1:
        return _launch(count, console)
    from dlcli.engine.runs.beginning import go_on_training

    _finish(go_on_training(run, Path(options.data) if options.data else None, console, machine), console)
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
