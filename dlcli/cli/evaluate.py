"""`dl eval RUN|FILE`: metrics on data not used in training."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.answering.opening import RUN, form_of, task_of
from dlcli.answering.ready import find_run, open_ready
from dlcli.answering.run_data import data_of_run
from dlcli.cli.glyphs import warn_of_missing_glyphs
from dlcli.cli.inference import INFERENCE_HELP, inference_of_line, resolve_inference
from dlcli.cli.options import Argument, Compute, Values, make_command
from dlcli.cli.ready import Ready
from dlcli.core.config import fields_of, option
from dlcli.core.console import Console, format_figure
from dlcli.core.errors import ThresholdError, UsageError, did_you_mean
from dlcli.core.run_dir import RunDir
from dlcli.core.table import Table

if TYPE_CHECKING:
    from dlcli.engine.runs.evaluation import Measured


@dataclass(frozen=True)
class EvalOptions:
    """Options of `dl eval`."""

    split: str = option("test", "split to evaluate on", choices=("test", "valid", "train"))
    data: str | None = option(None, "prepared data (default: the run's)", metavar="DIR")
    fail_under: tuple[str, ...] = option((), "exit 7 if a metric is worse than this (repeatable)", metavar="METRIC=X")
    plots: bool = option(True, "save plots in the run")
    baseline: bool = option(False, "also evaluate simple models on the same data")
    few_shot: int | None = option(
        None,
        "also evaluate the nearest class mean of N training items of each class, by their vectors",
        minimum=1,
        maximum=100_000,
        is_advanced=True,
    )


def build(rest: list[str]) -> Any:
    """Return the command, with the inference options of the task that the line refers to."""
    inference = inference_of_line(rest, EvalOptions)

    def run(values: Values) -> None:
        _evaluate(values, inference)

    return make_command(
        "eval",
        "Evaluate a run, a checkpoint or an exported file on its test data or another split.",
        run,
        arguments=[
            Argument("run", "a path, a name under runs/, `latest`, a dataset, task or model; a checkpoint, an export")
        ],
        configs=[EvalOptions, Ready, *inference, Compute],
        epilog=None if inference else INFERENCE_HELP,
    )


def _evaluate(values: Values, inference: Sequence[type]) -> None:
    console = values.console()
    options, compute = values.resolve(EvalOptions), values.resolve(Compute)
    bounds = [_bound(text) for text in options.fail_under]
    text, pretrained = values.arguments["run"], values.resolve(Ready).pretrained
    if pretrained is not None and options.data is None:
        raise UsageError("--pretrained: a network has no data of its own", hint="name prepared data with --data DIR")
    typed = resolve_inference(values, inference, task_of(text, pretrained))
    if pretrained is None and form_of(text) != RUN:
        _evaluate_file(text, options, compute, typed, values)
        return
    run = find_run(text) if pretrained is None else None
    data = data_of_run(run.info() if run is not None else {}, options.data)
    if run is not None and run.holds_folds:
        _refuse_inference(run, values, inference)
        report = _evaluate_folds(run, data, options, compute, console)
        _check_names(bounds, report["metrics"])
        _check_bounds(bounds, report["metrics"], report["lower_is_better"])
        return

    from dlcli.engine.compute.device import open_device, seed_everything
    from dlcli.engine.runs.evaluation import measure_run, measure_task

    device = open_device(compute.device, threads=compute.threads)
    seed_everything(compute.seed)
    more: dict[str, Any] = {"with_baselines": options.baseline, "few_shot": options.few_shot}
    if run is not None:
        measured = measure_run(run, data, options.split, device, inference=typed, **more)
    else:
        task, _ = open_ready(text, pretrained, report=console.warn, data=data, inference=typed)
        measured = measure_task(task, text, data, options.split, device, **more)
    _answer(measured, run, options, typed, console)


def _evaluate_file(text: str, options: EvalOptions, compute: Compute, inference: Any, values: Values) -> None:
    """Evaluate a checkpoint or an exported file.

    Raises:
        UsageError: plots are asked for, which have no place outside of a run.
    """
    if values.given.get("plots"):
        raise UsageError("--plots: a file has no folder for them", hint="evaluate its run, or leave out --plots")
    from dlcli.answering.evaluating import measure_model_file
    from dlcli.engine.compute.device import seed_everything

    seed_everything(compute.seed)
    measured = measure_model_file(
        text,
        options.data,
        options.split,
        device=compute.device,
        threads=compute.threads,
        inference=inference,
        with_baselines=options.baseline,
        few_shot=options.few_shot,
    )
    _answer(measured, None, options, inference, values.console())


def _answer(measured: Measured, run: RunDir | None, options: EvalOptions, inference: Any, console: Console) -> None:
    """Print an evaluation, store it in its run if there is one, and compare it with the bounds.

    Raises:
        DataError: no item could be read.
        UsageError: a bound is of an unknown metric.
        ThresholdError: a metric is worse than its bound.
    """
    from dlcli.engine.observers.data_notes import print_notes
    from dlcli.engine.runs.evaluation import require_items

    report, bounds = measured.report, [_bound(text) for text in options.fail_under]
    require_items(report, measured.notes)
    _check_names(bounds, report["metrics"])
    print_notes(console, measured.notes)
    if options.plots and run is not None:
        warn_of_missing_glyphs(console, [text for table in measured.tables for text in table.texts()])
    plots = _store(run, measured, options, inference, console) if run is not None else []
    for line in plots:
        console.detail(f"drew {line}")
    if console.is_json:
        console.answer_json("eval", {**report, "plots": plots})
    else:
        console.say(f"{report['run']} on {report['items']:,} items of {report['data']}, split {report['split']}")
        _print(console, [_metrics_table(report), *measured.tables])
        if run is not None and plots:
            console.say(f"plots in {run.folder('plots')}")
    _check_bounds(bounds, report["metrics"], report["lower_is_better"])


def _refuse_inference(run: RunDir, values: Values, inference: Sequence[type]) -> None:
    """Refuse options of the task, which the folds' evaluation at the end of the training did not have.

    Raises:
        UsageError: one was typed.
    """
    for info in (info for options_class in inference for info in fields_of(options_class)):
        if info.name in values.given:
            from dlcli.engine.runs.cross_validation import fold_runs

            fold = shlex.quote(str(fold_runs(run)[0].path))
            raise UsageError(
                f"--{info.flag}: a cross-validation is evaluated without it, as its folds were",
                hint=f"evaluate each fold with it: `dl eval {fold} --{info.flag}`",
            )


def _store(run: RunDir, measured: Measured, options: EvalOptions, inference: Any, console: Console) -> list[str]:
    """Store the evaluation and the plots in the run, and return the plots; warn if the run cannot be written.

    The figures are the answer: a shared or mounted run is often read-only.
    """
    from dlcli.engine.runs.keeping import keep_evaluation

    try:
        return keep_evaluation(run, measured, draws=options.plots, inference=inference)
    except OSError as error:
        _warn_unwritable(run, error, console)
        return []


def _warn_unwritable(run: RunDir, error: OSError, console: Console) -> None:
    console.warn(f"{run.path} cannot be written ({error.strerror or error}): the report is not stored")


def _evaluate_folds(
    run: RunDir, data: Path, options: EvalOptions, compute: Compute, console: Console
) -> Mapping[str, Any]:
    """Print and return the metrics of a cross-validation over all predictions, each made by the fold that tests it."""
    if options.split != "test":
        raise UsageError(f"--split {options.split}: a cross-validation is evaluated on its test parts only")
    if options.few_shot is not None:
        raise UsageError("--few-shot: a cross-validation has no single network", hint="evaluate one of its folds")
    from dlcli.core.train_config import TrainConfig
    from dlcli.engine.runs.cross_validation import summarise

    train = TrainConfig(device=compute.device, threads=compute.threads)
    report = summarise(
        run,
        data,
        train,
        with_baselines=options.baseline,
        on_unwritable=lambda error: _warn_unwritable(run, error, console),
        warn=console.warn,
    )
    if console.is_json:
        console.answer_json("eval", {**report, "plots": []})
        return report
    console.say(f"{run.path}: {len(report['folds'])} folds, {report['items']:,} items")
    _print(console, [_means_table(report)])
    return report


def _means_table(report: Mapping[str, Any]) -> Table:
    """Return the table of metrics over all predictions, beside the means over folds of the run and the baselines."""
    baselines, errors = report.get("baselines", {}), report.get("baseline_errors", {})
    rows = [
        [
            name,
            value,
            report["fold_means"][name],
            report["standard_errors"][name],
            *(_with_error(figures.get(name), errors[other].get(name)) for other, figures in baselines.items()),
        ]
        for name, value in report["metrics"].items()
    ]
    return Table("metrics", ["metric", "all predictions", "mean of folds", "standard error", *baselines], rows, [])


def _with_error(value: float | None, error: float | None) -> str:
    return "" if value is None else f"{format_figure(value)} ± {format_figure(error or 0.0)}"


def _metrics_table(report: Mapping[str, Any]) -> Table:
    """Return the table of metrics, with those of the baselines beside them, also what only they have."""
    baselines: Mapping[str, Mapping[str, Any]] = report.get("baselines", {})
    columns = [report["metrics"], *baselines.values()]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [[name, *(column.get(name, "") for column in columns)] for name in names]
    return Table("metrics", ["metric", "value", *baselines], rows, [])


def _print(console: Console, tables: Sequence[Table]) -> None:
    """Print the non-empty tables, separated by empty lines."""
    for number, table in enumerate(table for table in tables if table.rows):
        if number:
            console.answer("")
        console.table(table.columns, table.rows)


def _bound(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise UsageError(f"--fail-under {text!r}: not METRIC=NUMBER", hint="for example --fail-under accuracy=0.9")
    return name.strip(), bound


def _check_names(bounds: Sequence[tuple[str, float]], metrics: Mapping[str, Any]) -> None:
    for name, _ in bounds:
        if name not in metrics:
            raise UsageError(f"--fail-under: no metric {name!r}", hint=did_you_mean(name, metrics))


def _check_bounds(bounds: Sequence[tuple[str, float]], metrics: Mapping[str, Any], lower: Sequence[str]) -> None:
    for name, bound in bounds:
        value = metrics[name]
        is_met = value is not None and (value <= bound if name in lower else value >= bound)
        if not is_met:
            side = "over" if name in lower else "under"
            raise ThresholdError(
                f"{name} is {value if value is None else f'{value:.6g}'}, {side} the bound of {bound:g}"
            )
