"""`dl tune TARGET --param NAME=...`: train many times with other options, and say which were best."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.cli.options import Common, Values, make_command
from dlcli.cli.training_line import TARGET, epilog_of, recipe_of, target_of_options, target_word
from dlcli.cli.tuned import answer_study, draw_study
from dlcli.cli.words import flag_value
from dlcli.core.config import Layer, fields_of, option, to_dict
from dlcli.core.console import Console
from dlcli.core.duration import parse_duration
from dlcli.core.errors import DlError, UsageError
from dlcli.core.registry import TaskSpec, load_object
from dlcli.core.run_dir import RunDir, resolve_run
from dlcli.core.train_config import MACHINE, TrainConfig
from dlcli.core.tune_dir import TuneDir, create_tune, list_tunes, resolve_tune
from dlcli.engine.request import stored_options, without_excluded
from dlcli.engine.targets import Target, ensure_prepared, require_data, resolve_target, target_of_run

if TYPE_CHECKING:
    from dlcli.engine.tuning.plan import Plan
    from dlcli.engine.tuning.study import Study

NUM_TRIALS = 20

CHANGEABLE = ("trials", "budget", "retrain", *MACHINE)
"""Options that may differ when a study is gone on with."""

JOINING = ("join", *CHANGEABLE, *(info.name for info in fields_of(Common)))


RETRAIN = ("same", "all")
"""On which items --retrain trains."""


@dataclass(frozen=True)
class TuneOptions:
    """Options of `dl tune`."""

    param: tuple[str, ...] = option(
        (),
        "an option to tune: a range LOW..HIGH, with :log, :int or :step=S after it, or a list A,B,C; repeat it",
        metavar="NAME=VALUES",
    )
    trials: int | None = option(
        None, f"trials in all, the default recipe included (default: {NUM_TRIALS})", minimum=1, maximum=100_000
    )
    budget: str | None = option(
        None, "stop the whole study after this time: 90s, 5m, 1h30m", metavar="TIME", read=parse_duration
    )
    pruner: str = option(
        "median", "which trials to give up early by their epochs", choices=("median", "hyperband", "none")
    )
    sampler: str = option("tpe", "how to choose the next trial", choices=("tpe", "random"))
    folds: int | None = option(
        None, "train each trial on K folds of the training split, and compare the means", minimum=2, maximum=100
    )
    join: str | None = option(None, "go on with a study, beside other processes if there are any", metavar="STUDY")
    retrain: str | None = option(
        None,
        "train the best options once more at the end, as a run in runs/; all: on the validation part too",
        choices=RETRAIN,
        bare=RETRAIN[0],
        metavar="[same|all]",
    )
    data: str | None = option(None, "prepared data (default: data/DATASET)", metavar="DIR")
    config: str | None = option(None, "TOML file of options; flags override it", metavar="FILE")
    origin: str | None = option(None, "tune around the options of this run", flag="from", metavar="RUN")
    name: str | None = option(None, "name of the study (default: TARGET-N)", metavar="NAME")


def _hidden(config_class: type) -> type:
    """Return the options of a training as options of `dl tune`, which its help page shows with --help-all only."""
    shown = ("epochs", "batch_size", "model", "seed", "device", "threads")
    made = []
    for each in dataclasses.fields(config_class):
        spec = each.metadata["option"]
        is_shown = each.name in shown
        hidden = dataclasses.replace(spec, is_advanced=spec.is_advanced or not is_shown, section=None)
        made.append((each.name, each.type, dataclasses.field(default=each.default, metadata={"option": hidden})))
    namespace = {"__module__": config_class.__module__}
    return dataclasses.make_dataclass(config_class.__name__, made, frozen=True, namespace=namespace)


def build(rest: list[str]) -> Any:
    """Return the command, with the options of the task that the line refers to."""
    target = _target_of_line(rest)
    spec = target.spec if target else None
    configs = [_hidden(load_object(spec.config)), _hidden(TrainConfig)] if spec else [_hidden(TrainConfig)]

    def run(values: Values) -> None:
        _tune(spec, values)

    more = ". Every option of `dl train TARGET` can be tuned, or given to all trials."
    return make_command(
        "tune",
        "Train with many options, and print the path of the best run.",
        run,
        arguments=[TARGET],
        configs=[TuneOptions, *configs],
        epilog=epilog_of(target, more),
        defaults={name: value for name, value in recipe_of(target).items() if name != "folds"},
    )


def _target_of_line(rest: list[str]) -> Target | None:
    """Return the target of the line, before its options are known; None for a line with an error, reported later."""
    word = target_word(rest, TuneOptions)
    try:
        joined, origin = flag_value(rest, "--join"), flag_value(rest, "--from")
        if joined is not None:
            return _target_of_study(resolve_tune(joined))
        if word is not None:
            return resolve_target(word, flag_value(rest, "--data"))
        return target_of_run(resolve_run(origin), None) if origin is not None else None
    except DlError:
        return None


def _target_of_study(tune: TuneDir) -> Target:
    from dlcli.engine.tuning.plan import read_plan

    plan = read_plan(tune)
    return Target(plan.spec, plan.dataset, Path(plan.data))


def _tune(spec: TaskSpec | None, values: Values) -> None:
    console, options = values.console(), values.resolve(TuneOptions)
    began = time.monotonic()
    from dlcli.engine.tuning.plan import read_plan, require_cut_validation, require_steady_schedule
    from dlcli.engine.tuning.sampling import require_optuna
    from dlcli.engine.tuning.study import Study

    require_optuna()
    is_new = False
    if options.join is not None:
        tune = _joined(values, options)
    else:
        tune, is_new = _started(spec, values, options, console)
    try:
        plan = read_plan(tune)
        target = Target(plan.spec, plan.dataset, Path(plan.data))
        ensure_prepared(target, console.say)
        if options.retrain == RETRAIN[1]:
            require_cut_validation(plan)
            require_steady_schedule(plan)
        study = Study(tune, plan)
        _work(study, options, _machine(values), console, began)
    except BaseException:
        if is_new and not _has_runs(tune):
            shutil.rmtree(tune.path, ignore_errors=True)  # a start that fails leaves nothing behind
        raise
    answer_study(study, console, retrain=options.retrain, machine=_machine(values))


def _has_runs(tune: TuneDir) -> bool:
    return any(tune.trials.glob("*/run.json"))


def _joined(values: Values, options: TuneOptions) -> TuneDir:
    """Return the study of --join.

    Raises:
        UsageError: the line has an option that the study has already.
        RunError: there is no such study.
    """
    tune = resolve_tune(str(options.join))
    ignored = [name for name in values.given if name not in JOINING]
    if ignored or values.arguments["target"] is not None:
        what = f"--{ignored[0].replace('_', '-')}" if ignored else str(values.arguments["target"])
        raise UsageError(
            f"{what}: {tune.path} has its target and options; --join goes with --{', --'.join(CHANGEABLE)} alone",
            hint=f"`dl tune --join {tune.reference}`",
        )
    return tune


def _machine(values: Values) -> dict[str, Any]:
    """Return the options of the machine that the line gives, in place of the study's."""
    given = values.layer(TrainConfig).values
    return {name: given[name] for name in MACHINE if name in given}


def _started(spec: TaskSpec | None, values: Values, options: TuneOptions, console: Console) -> tuple[TuneDir, bool]:
    """Return the study of this line, and whether it is new: the same line again goes on with what it started.

    Raises:
        DlError: the options do not fit each other, the task or the data.
    """
    from dlcli.engine.tuning.plan import check_choices, default_values
    from dlcli.engine.tuning.trial_process import find_judge

    origin = resolve_run(options.origin) if options.origin else None
    target = target_of_options("tune", spec, values.arguments["target"], options.data, origin)
    require_data(target)
    plan = _plan(target, values, options, origin)
    requests = check_choices(plan)
    ensure_prepared(target, console.say)
    from dlcli.engine.observers.signals import StopOnSignal

    with StopOnSignal() as signals:
        judge, epochs = find_judge(requests, lambda: signals.received)
    plan = dataclasses.replace(
        plan,
        metric=judge.metric,
        larger_is_better=judge.larger_is_better,
        epochs=epochs,
        default=default_values(plan),
        command=shlex.join(["dl", *sys.argv[1:]]),
    )
    same = _same_study(plan, options.name)
    if same is not None:
        console.say(f"going on with {same.path}, which has the same options; another --seed or --name starts another")
        return same, False
    started = datetime.now(UTC).isoformat(timespec="seconds")
    num_trials = options.trials or NUM_TRIALS
    tune = create_tune(target.dataset, {**plan.to_json(), "trials": num_trials, "started": started}, options.name)
    console.say(f"{tune.path}: {judge.metric} on the validation part, by {', '.join(plan.param)}")
    return tune, True


def _plan(target: Target, values: Values, options: TuneOptions, origin: RunDir | None) -> Plan:
    """Return the plan of the study, without what judges it.

    Raises:
        UsageError: an option is wrong, or is tuned and has a value too.
    """
    from dlcli.engine.tuning.plan import Plan, default_space, request_of

    config = load_object(target.spec.config)
    own = {info.name for info in fields_of(TuneOptions)}
    typed = {**values.layer(config).values, **values.layer(TrainConfig).values}
    asked = {*typed, *(text.partition("=")[0].strip() for text in options.param)} - own
    stored = [dict(layer.values) for layer in stored_options(origin, options.config, asked)]
    given = _together([*stored, {name: value for name, value in typed.items() if name not in own}], config)
    for name in ("folds", "splits", "fold", "val_fold"):
        if given.pop(name, None) is not None and not (origin and name in ("folds", "val_fold")):
            raise UsageError(f"--{name.replace('_', '-')} cannot be combined with a study", hint="use --folds K")
    plan = Plan(
        task=target.spec.name,
        dataset=target.dataset,
        data=str(target.data),
        param=options.param,
        options=given,
        takes_recipe=origin is None,
        sampler=options.sampler,
        pruner=options.pruner,
        folds=options.folds or 1,
        seed=int(given.get("seed", 0)),
    )
    request = request_of(plan, {})
    fixed = {*(stored[-1] if options.config and stored else {}), *typed} if origin is not None else set(given)
    if not options.param:
        plan = dataclasses.replace(plan, param=tuple(default_space(to_dict(request.config, request.train), fixed)))
    for parameter in plan.space():
        if parameter.name in fixed:
            raise UsageError(
                f"--{parameter.info.flag} has a value, and --param tunes it", hint="leave one of the two out"
            )
    if not plan.param:
        raise UsageError("nothing is left to tune: every option of the default space has a value", hint="use --param")
    return plan


def _together(parts: Sequence[Mapping[str, Any]], config: type) -> dict[str, Any]:
    """Return options by the names of their fields, as JSON holds them; those of a later part replace earlier ones."""
    names = {info.flag.replace("-", "_"): info.name for cls in (config, TrainConfig) for info in fields_of(cls)}
    keyed = [{name.replace("-", "_"): value for name, value in part.items()} for part in parts]
    layers = [Layer(None, {names.get(key, key): value for key, value in part.items()}) for part in keyed]
    given = {name: value for layer in without_excluded(layers) for name, value in layer.values.items()}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


def _same_study(plan: Plan, name: str | None) -> TuneDir | None:
    """Return the newest study with the same options that the line would start, and with the name that it gives."""
    from dlcli.engine.tuning.plan import read_plan

    wanted = plan.same_study()
    studies: list[TuneDir] = [tune for tune, _ in list_tunes()]
    for tune in reversed(studies):
        if name is not None and tune.name != name:
            continue
        try:
            if read_plan(tune).same_study() == wanted:
                return tune
        except DlError:
            continue
    return None


def _work(study: Study, options: TuneOptions, machine: Mapping[str, Any], console: Console, began: float) -> None:
    """Work off the trials, and draw what has been found, whatever ends it; `began` is when the command did."""
    from dlcli.engine.tuning.search import search

    num_trials = _num_trials(study, options)
    budget_s = None if options.budget is None else parse_duration(options.budget) - (time.monotonic() - began)
    try:
        is_done = search(study, console, num_trials=num_trials, budget_s=budget_s, machine=machine)
    finally:
        draw_study(study, console)
    if not is_done:
        console.say(f"the time is up: `dl tune --join {study.tune.reference}` goes on")


def _num_trials(study: Study, options: TuneOptions) -> int:
    """Return how many trials the study has; a number on the line is that of the study from now on."""
    kept = study.tune.info().get("trials")
    count = options.trials or (kept if isinstance(kept, int) and kept > 0 else NUM_TRIALS)
    if count != kept:
        study.change(trials=count)
    return count
