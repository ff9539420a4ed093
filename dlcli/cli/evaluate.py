"""`dl eval RUN`: figures on data that training has not seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlcli.cli.glyphs import warn_of_missing_glyphs
from dlcli.cli.opening import INFERENCE_HELP, data_of_run, inference_of_line
from dlcli.cli.options import Argument, Compute, Values, make_command
from dlcli.core.config import option
from dlcli.core.console import Console
from dlcli.core.errors import ThresholdError, UsageError, did_you_mean
from dlcli.core.files import write_json
from dlcli.core.run_dir import RunDir, resolve_run


@dataclass(frozen=True)
class EvalOptions:
    """What is measured, and what must be met."""

    split: str = option("test", "the part of the data", choices=("test", "valid", "train"))
    data: str | None = option(None, "prepared data (default: the run's own)", metavar="DIR")
    fail_under: tuple[str, ...] = option((), "exit 7 where a metric is worse than this", metavar="METRIC=X")
    plots: bool = option(True, "draw plots into the run; --no-plots for none")


def build(rest: list[str]) -> Any:
    """Return the command with the options of the task that the line asks."""
    inference = inference_of_line(rest)

    def run(values: Values) -> None:
        _evaluate(values, inference)

    return make_command(
        "eval",
        "Measure a run on data it has not seen.",
        run,
        arguments=[Argument("run", "a path, a name under runs/, `latest`, a dataset, task or model")],
        configs=[EvalOptions, *inference, Compute],
        epilog=None if inference else INFERENCE_HELP,
    )


def _evaluate(values: Values, inference: Sequence[type]) -> None:
    console = values.console()
    options, compute = values.resolve(EvalOptions), values.resolve(Compute)
    bounds = [_bound(text) for text in options.fail_under]
    run = resolve_run(values.arguments["run"])
    info = run.info()
    data = data_of_run(info, options.data)

    from dlcli.engine.device import open_device, seed_everything
    from dlcli.engine.evaluate import evaluate
    from dlcli.engine.restore import load_task

    device = open_device(compute.device, threads=compute.threads)
    seed_everything(compute.seed)
    told = next((values.resolve(options_class) for options_class in inference), None)
    task, _ = load_task(run, data=data, inference=told)
    loader = task.loader(options.split)
    device.place(task.model)
    report = _finite(evaluate(task, loader, device).report())
    _check_names(bounds, report["metrics"])
    split = {"run": str(run.path), "split": options.split, "data": str(data), "items": loader.num_items}
    write_json(run.folder("eval") / f"{options.split}.json", {**split, **report})
    if options.plots:
        warn_of_missing_glyphs(console, [str(row["name"]) for row in report.get("per_class", ())])
    plots = _draw(task, report, options.split, run) if options.plots else []
    for line in plots:
        console.detail(f"drew {line}")
    if console.is_json:
        console.answer_json("eval", {**split, **report, "plots": plots})
    else:
        _print(console, split, report)
        if plots:
            console.say(f"plots in {run.folder('plots')}")
    _check_bounds(bounds, report["metrics"], report["lower_is_better"])


def _draw(task: Any, report: Mapping[str, Any], split: str, run: RunDir) -> list[str]:
    from dlcli.visualize.canvas import write_png

    written = []
    for name, picture in task.draw_report(report, split):
        path = run.folder("plots") / f"{split}-{name}"
        write_png(path, picture)
        written.append(str(path))
    return written


def _print(console: Console, split: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    console.say(f"{split['run']} on {split['items']:,} items of {split['data']}, split {split['split']}")
    console.table(["metric", "value"], list(report["metrics"].items()))
    rows: Sequence[Mapping[str, Any]] = report.get("per_class", [])
    if rows:
        console.answer("")
        console.table(list(rows[0]), [list(row.values()) for row in rows])


def _finite(value: Any) -> Any:
    """Return the value with null for what JSON has no number for."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _bound(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise UsageError(f"--fail-under {text!r}: not METRIC=NUMBER", hint="as in --fail-under accuracy=0.9")
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
                f"{name} is {value if value is None else round(value, 6)}, {side} the bound of {bound:g}"
            )
