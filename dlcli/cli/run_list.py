"""`dl runs`: the list of runs, sorted, and as a CSV or in MLflow's file layout."""

from __future__ import annotations

import contextlib
import io
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.cli.options import Argument, Values, make_command
from dlcli.core.config import option
from dlcli.core.console import Console
from dlcli.core.csv_writer import csv_writer
from dlcli.core.errors import DlError, UsageError, did_you_mean
from dlcli.core.records import is_number
from dlcli.core.run_dir import RUNS, RunDir, list_runs, list_trials, resolve_run

Found = Sequence[tuple[RunDir, Mapping[str, Any]]]

CSV, MLFLOW = "csv", "mlflow"
COLUMNS = (
    "task",
    "dataset",
    "model",
    "status",
    "started",
    "seconds",
    "epochs",
    "parameters",
    "seed",
    "device",
    "command",
)


SKIPPED = ("epoch", "step", "seconds")
"""Entries of an epoch that say nothing of how good it is."""


@dataclass(frozen=True)
class ListOptions:
    """Options of `dl runs`."""

    sort: str | None = option(
        None, "sort by a metric of the best epoch, by test_METRIC, or by seconds, parameters, ...", metavar="NAME"
    )
    all: bool = option(False, "list the trials of `dl tune` as well, by their paths")
    to: str | None = option(None, "write all runs as CSV, or as MLflow's files", choices=(CSV, MLFLOW))
    out: str | None = option(
        None, "the CSV file (default: standard output), or MLflow's folder (default: mlruns)", metavar="PATH"
    )


def build(rest: list[str]) -> Any:
    """Return the command."""
    del rest
    arguments = [Argument("run", "show all entries of this run", is_required=False)]
    return make_command("runs", "List the runs, oldest first.", _runs, arguments=arguments, configs=[ListOptions])


def _runs(values: Values) -> None:
    console, options = values.console(), values.resolve(ListOptions)
    if options.out is not None and options.to is None:
        raise UsageError("--out needs --to", hint=f"add --to {CSV} or --to {MLFLOW}")
    if values.arguments["run"] is not None:
        _show_run(resolve_run(values.arguments["run"]), console)
        return
    runs: Found = [*list_runs(), *(list_trials() if options.all else ())]
    if options.sort is not None and runs:
        runs = _sorted(runs, options.sort)
    if options.to == CSV:
        _to_csv(runs, options.out, console)
    elif options.to == MLFLOW:
        from dlcli.report.mlflow_files import write_mlflow

        folder = Path(options.out or "mlruns")
        count = write_mlflow(runs, folder)
        # MLflow 3.17 reads its own files only with the variable set.
        show = f"MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri {shlex.quote(str(folder))}"
        console.say(f"{count} runs: `{show}` shows them, `mlflow migrate-filestore` moves them to a database")
        console.answer(str(folder))
    elif console.is_json:
        console.answer_json("runs", {"runs": [{"path": str(run.path), **info} for run, info in runs]})
    elif not runs:
        console.say("no runs in ./runs yet: `dl train digits` creates one")
    else:
        columns = ["run", "task", "model", "status", "epochs", "metric", "value", "seconds", "started"]
        console.table(columns, [[_name(run), *_run_row(run, info, options.sort)] for run, info in runs])


def _show_run(run: RunDir, console: Console) -> None:
    info = run.info()
    if console.is_json:
        console.answer_json("run", {"path": str(run.path), "run": info})
    else:
        console.table(["entry", "value"], [[name, _shown(value)] for name, value in info.items()])


def _name(run: RunDir) -> str:
    """Return a run's name, or the path of one that is not in `runs/`."""
    return run.name if run.path.parent == RUNS else str(run.path)


def _run_row(run: RunDir, info: Mapping[str, Any], sort: str | None) -> list[object]:
    """Return the cells of a run; in place of the goal the metric by which the runs are sorted."""
    goal, best = info.get("goal") or "", info.get("best") or {}
    value: object = best.get(goal)
    if sort is not None and sort not in COLUMNS:
        goal, value = sort, metrics_of(run, info).get(sort)
    names = ("task", "model", "status", "epochs")
    return [*(info.get(name) for name in names), goal, value, info.get("seconds"), info.get("started", "")]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items())
    return "-" if value is None else str(value)


def metrics_of(run: RunDir, info: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of the best epoch, and those of the test split as `test_<name>`: they are of other items."""
    best = info.get("best")
    found = {name: value for name, value in best.items() if name not in SKIPPED} if isinstance(best, Mapping) else {}
    with contextlib.suppress(DlError, KeyError, TypeError, AttributeError):  # not evaluated
        found |= {f"test_{name}": value for name, value in run.read_json("eval/test.json")["metrics"].items()}
    return {str(name): float(value) for name, value in found.items() if is_number(value)}


def _sorted(runs: Found, name: str) -> Found:
    """Return the runs by an entry, or by a metric with the best first; runs without it come last.

    Raises:
        UsageError: no run has it.
    """
    if name in COLUMNS:
        known = [pair for pair in runs if pair[1].get(name) is not None]
        of_info = sorted(known, key=lambda pair: (not is_number(pair[1][name]), _key(pair[1][name])))
        return [*of_info, *(pair for pair in runs if pair[1].get(name) is None)]
    values = {run.path: metrics_of(run, info) for run, info in runs}
    if not any(name in metrics for metrics in values.values()):
        names = dict.fromkeys([*COLUMNS, *(each for metrics in values.values() for each in metrics)])
        raise UsageError(f"--sort: no run has {name!r}", hint=did_you_mean(name, names))
    sign = 1 if any(_is_lower_better(run, info, name) for run, info in runs) else -1
    having = [pair for pair in runs if name in values[pair[0].path]]
    having.sort(key=lambda pair: sign * values[pair[0].path][name])
    return [*having, *(pair for pair in runs if name not in values[pair[0].path])]


def _key(value: Any) -> Any:
    return value if is_number(value) else str(value)


def _is_lower_better(run: RunDir, info: Mapping[str, Any], name: str) -> bool:
    """Return whether a run says that less of a figure is better: of its goal always, of others in its evaluation."""
    if name == "loss" or name.endswith("_loss"):
        return True
    name = name.removeprefix("test_")
    if name == info.get("goal") and isinstance(info.get("larger_is_better"), bool):
        return not info["larger_is_better"]
    try:
        lower = run.read_json("eval/test.json").get("lower_is_better")
    except (DlError, AttributeError):
        return False
    return isinstance(lower, list) and name in lower


def _to_csv(runs: Found, out: str | None, console: Console) -> None:
    """Write a row for each run: its entries, then its metrics, in columns that any run has."""
    metrics = [metrics_of(run, info) for run, info in runs]
    names = list(dict.fromkeys(name for each in metrics for name in each))
    text = io.StringIO()
    writer = csv_writer(text)
    writer.writerow(["run", *COLUMNS, *names])
    for (run, info), found in zip(runs, metrics, strict=True):
        entries = ["" if info.get(name) is None else info[name] for name in COLUMNS]
        writer.writerow([_name(run), *entries, *(found.get(name, "") for name in names)])
    if out is None:
        console.answer(text.getvalue().rstrip("\n"))
        return
    from dlcli.core.files import write_text

    write_text(Path(out), text.getvalue())
    console.answer(out)
