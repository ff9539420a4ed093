"""What a study tunes, and how: the content of `tune.json`, from which each process of the study works. Torch-free."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from dlcli.core.config import Layer, to_dict
from dlcli.core.errors import DlError, RunError, UsageError
from dlcli.core.registry import TaskSpec, get_task, load_object
from dlcli.core.train_config import MACHINE, PLATEAU, TrainConfig, read_schedule
from dlcli.core.tune_dir import TuneDir
from dlcli.data.card import read_card
from dlcli.engine.request import TrainRequest, resolve_request
from dlcli.engine.tuning.space import Parameter, read_space

TUNE = "tune"
"""The origin of an option that a trial has from the study."""

SAMPLERS = ("tpe", "random")
PRUNERS = ("median", "hyperband", "none")


@dataclass(frozen=True)
class Plan:
    """A study.

    Attributes:
        task, dataset, data: what is trained, and the folder of the prepared data.
        param: the search space, as values of `--param`.
        options: the options that all trials have; the recipe and the defaults fill in the others.
        takes_recipe: False if `options` are a run's complete configuration.
        sampler, pruner: by which rules trials are chosen and given up.
        folds: how many trainings a trial consists of; 1 for a single one.
        seed: of the draws, and of every training.
        metric, larger_is_better: the goal, on the validation part.
        epochs: of the default recipe, for the pruner.
        default: option -> its value in the default recipe, for the options that are tuned.
        command: the command line that started the study.
    """

    task: str
    dataset: str
    data: str
    param: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    takes_recipe: bool = True
    sampler: str = SAMPLERS[0]
    pruner: str = PRUNERS[0]
    folds: int = 1
    seed: int = 0
    metric: str = ""
    larger_is_better: bool = True
    epochs: int = 1
    default: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""

    @property
    def spec(self) -> TaskSpec:
        """The task."""
        return get_task(self.task)

    def space(self) -> tuple[Parameter, ...]:
        """Return the search space.

        Raises:
            UsageError: it does not fit the options of the task.
        """
        return read_space(self.param, [load_object(self.spec.config), TrainConfig])

    def same_study(self) -> dict[str, Any]:
        """Return what two commands have in common that work on one study."""
        kept = {name: value for name, value in asdict(self).items() if name not in ("command", "default", "epochs")}
        kept["param"] = list(self.param)
        kept["options"] = {name: value for name, value in self.options.items() if name not in MACHINE}
        return kept

    def to_json(self) -> dict[str, Any]:
        """Return the plan as entries of `tune.json`."""
        return {**asdict(self), "param": list(self.param)}


def read_plan(tune: TuneDir) -> Plan:
    """Return the plan of a study.

    Raises:
        RunError: its `tune.json` is damaged, or names a task, data or options that do not exist any more.
    """
    info = tune.info()
    values: dict[str, Any] = {}
    for each in fields(Plan):
        value = info.get(each.name)
        expected: Any = {"param": list, "options": dict, "default": dict}.get(each.name, type(each.default))
        if each.name in ("task", "dataset", "data"):
            expected = str
        if type(value) is not expected:
            raise RunError(f"{tune.info_file}: {each.name!r} is missing or damaged", hint="start a new study")
        values[each.name] = value
    values["param"] = tuple(str(text) for text in values["param"])
    plan = Plan(**values)
    if plan.sampler not in SAMPLERS or plan.pruner not in PRUNERS or not 1 <= plan.folds <= 100:
        raise RunError(f"{tune.info_file}: damaged", hint="start a new study")
    try:
        plan.space()
        request_of(plan, {})
    except UsageError as error:
        raise RunError(f"{tune.info_file}: {error.message}", hint="start a new study with this version") from None
    return plan


def request_of(
    plan: Plan,
    values: Mapping[str, Any],
    *,
    folder: Path | None = None,
    name: str | None = None,
    machine: Mapping[str, Any] | None = None,
) -> TrainRequest:
    """Return the training of a trial.

    Args:
        plan: the study.
        values: option -> value, for the options that are tuned; {} for the default recipe.
        folder, name: where its run is created.
        machine: options that this process has in place of the study's; those of `MACHINE`.

    Raises:
        UsageError: the options contradict each other.
    """
    layers = [Layer("options of the study", plan.options), Layer(TUNE, values)]
    if machine:
        layers.append(Layer(None, machine))
    request = resolve_request(
        plan.spec,
        plan.dataset,
        Path(plan.data),
        layers,
        command=plan.command,
        name=name,
        takes_recipe=plan.takes_recipe,
    )
    return replace(request, folder=folder)


def fold_request(request: TrainRequest, name: str | None, fold: int, count: int) -> TrainRequest:
    """Return the training of a fold: one of `count` equal parts of the training split validates it."""
    return replace(request, train=replace(request.train, val_fold=f"{fold}/{count}"), name=name)


def retrain_request(plan: Plan, values: Mapping[str, Any], *, all_items_for: int | None = None) -> TrainRequest:
    """Return the training of a study's best options as a run of its own.

    Args:
        plan: the study.
        values: see `request_of`.
        all_items_for: train on the validation part too, for so many epochs, since nothing is left to stop by; None to
            train as the trial did.
    """
    request = request_of(plan, values)
    if all_items_for is None:
        return request
    epochs = min(request.train.epochs, all_items_for)
    return replace(request, train=replace(request.train, epochs=epochs, val_fraction=0.0, patience=None))


def require_cut_validation(plan: Plan) -> None:
    """Check that the validation part is cut out of the training split, so that it can be trained on.

    Raises:
        UsageError: the data has a validation split of its own.
    """
    card = read_card(Path(plan.data))
    if card is not None and card.num_items("valid"):
        raise UsageError(
            f"--retrain all: {plan.data} has a validation split of its own, which is never trained on",
            hint="use --retrain same",
        )


def require_steady_schedule(plan: Plan) -> None:
    """Check that no trial has a schedule that follows the validation part, of which nothing is left to train on.

    Raises:
        UsageError: one may have it.
    """
    for _, where, request in _by_choice(plan):
        if read_schedule(request.train.schedule)[0] == PLATEAU:
            raise UsageError(
                f"--retrain all: {where or f'--schedule {request.train.schedule}'} needs the validation part, which is "
                "trained on then",
                hint="use --retrain same, or another --schedule",
            )


def default_values(plan: Plan) -> dict[str, Any]:
    """Return the default recipe's value of each option that is tuned; None for an option that is measured or unset."""
    request = request_of(plan, {})
    options = to_dict(request.config, request.train)
    return {each.name: None if each.name in request.auto else _plain(options.get(each.name)) for each in plan.space()}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def check_choices(plan: Plan) -> list[tuple[str, TrainRequest]]:
    """Return the default recipe's training, and one for each network, which are opened before the first trial.

    Raises:
        UsageError: the options of a choice contradict the others.
    """
    requests = [(where, request) for name, where, request in _by_choice(plan) if name in (None, "model")]
    if plan.folds > 1:
        return [(where, fold_request(request, None, 1, plan.folds)) for where, request in requests]
    return requests


def _by_choice(plan: Plan) -> Iterator[tuple[str | None, str, TrainRequest]]:
    """Yield the default recipe's training, and one for each choice of each option: the option, its words, the training.

    Raises:
        UsageError: the options of a choice contradict the others.
    """
    yield None, "", request_of(plan, {})
    for parameter in plan.space():
        for choice in parameter.choices:
            where = f"--param {parameter.info.flag}: {choice}"
            try:
                request = request_of(plan, {parameter.name: parameter.value_of(choice)})
            except DlError as error:
                raise UsageError(f"{where}: {error.message}", hint=error.hint) from None
            yield parameter.name, where, request


def default_space(options: Mapping[str, Any], given: Collection[str]) -> list[str]:
    """Return the search space of a study without --param, as values of it: what nearly every training depends on.

    The learning rate from a tenth to ten times the default, the weight decay, and the dropout rate where the recipe has
    one.

    Args:
        options: the options of the default recipe.
        given: the options to which the user has given a value, which are not tuned.
    """
    rate = options.get("learning_rate")
    middle = rate if isinstance(rate, float) and rate > 0 else 1e-3
    found = {"learning_rate": f"lr={middle / 10:g}..{middle * 10:g}:log", "weight_decay": "weight-decay=1e-5..0.3:log"}
    if isinstance(options.get("dropout"), float):
        found["dropout"] = "dropout=0..0.5"
    return [text for name, text in found.items() if name not in given]
