"""`dl compare RUN RUN...`: what differs between runs, and whether one is better by more than chance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.cli.options import Argument, Values, make_command
from dlcli.core.config import option
from dlcli.core.console import Console
from dlcli.core.errors import DlError, UsageError
from dlcli.core.run_dir import resolve_run

if TYPE_CHECKING:
    from dlcli.report.comparing import Side, Verdict

MAX_METRICS = 12
"""Printed; JSON has all."""
COSTS = ("parameters", "epochs", "seconds")


@dataclass(frozen=True)
class CompareOptions:
    """Options of `dl compare`."""

    split: str = option("test", "split of the evaluations", choices=("test", "valid", "train"))
    metric: str | None = option(None, "figure to compare by (default: the goal of the training)", metavar="NAME")
    out: str | None = option(None, "PNG file of the curves (default: in the first run's plots/)", metavar="FILE")
    plots: bool = option(True, "draw the curves of all runs in one picture")


def build(rest: list[str]) -> Any:
    """Return the command."""
    del rest
    return make_command(
        "compare",
        "Compare evaluated runs: options, metrics, curves, and a paired bootstrap over equal test items.",
        _compare,
        arguments=[Argument("run", "two runs or more, each as for `dl eval`", many=True)],
        configs=[CompareOptions],
    )


def _compare(values: Values) -> None:
    console, options = values.console(), values.resolve(CompareOptions)
    if options.out is not None and not options.out.lower().endswith(".png"):
        raise UsageError(f"--out {options.out}: a picture is a PNG file", hint="name a file that ends in .png")
    from dlcli.report.comparing import choose_metric, differing_options, open_sides, require_comparable, verdicts_of

    sides = open_sides([resolve_run(text) for text in values.arguments["run"]], options.split)
    require_comparable(sides, options.split)
    _warn_of_older(sides, options.split, console)
    metric = choose_metric(sides, options.metric)
    verdicts, why_none = verdicts_of(sides, metric)
    differing = differing_options(sides)
    curves = _draw(sides, options) if options.plots else None
    if console.is_json:
        console.answer_json("compare", _document(sides, metric, differing, verdicts, why_none, curves))
        return
    console.table(["", *(side.label for side in sides)], _rows(sides, metric, differing))
    console.answer("")
    for verdict in verdicts:
        console.answer(verdict.sentence())
    if why_none:
        console.answer(why_none)
    if curves is not None:
        console.say(f"curves in {curves}")


def _warn_of_older(sides: Sequence[Side], split: str, console: Console) -> None:
    """Warn of evaluations of earlier weights: what is compared is not what the runs are now."""
    from dlcli.report.evaluations import is_older_than_weights

    for side in sides:
        if is_older_than_weights(side.run, split):
            again = f"`dl eval {side.run.reference}{'' if split == 'test' else f' --split {split}'}`"
            console.warn(f"the weights of {side.label} are newer than its evaluation: repeat {again}")


def _rows(sides: Sequence[Side], metric: str, differing: dict[str, list[Any]]) -> list[list[Any]]:
    """Return the options that differ, the metrics, and what the runs cost."""
    rows: list[list[Any]] = [
        [name, *("-" if value is None else value for value in each)] for name, each in differing.items()
    ]
    names = [metric, *(name for name in sides[0].report["metrics"] if name != metric)]
    rows += [[name, *(side.report["metrics"].get(name) for side in sides)] for name in names[:MAX_METRICS]]
    costs = [name for name in COSTS if name not in differing]
    rows += [[name, *(side.info.get(name) for side in sides)] for name in costs]
    return [row for row in rows if any(value is not None for value in row[1:])]


def _document(
    sides: Sequence[Side],
    metric: str,
    differing: dict[str, list[Any]],
    verdicts: Sequence[Verdict],
    why_none: str,
    curves: Path | None,
) -> dict[str, Any]:
    runs = [
        {
            "run": str(side.run.path),
            "metrics": side.report["metrics"],
            "options": {name: values[index] for name, values in differing.items()},
            **{name: side.info.get(name) for name in COSTS},
        }
        for index, side in enumerate(sides)
    ]
    compared = [
        {
            "better": verdict.better,
            "worse": verdict.worse,
            "metric": verdict.metric,
            **asdict(verdict.difference),
            "is_clear": verdict.is_clear,
        }
        for verdict in verdicts
    ]
    plot = str(curves) if curves is not None else None
    return {"metric": metric, "runs": runs, "comparisons": compared, "why_none": why_none or None, "curves": plot}


def _draw(sides: Sequence[Side], options: CompareOptions) -> Path | None:
    """Draw the curves of all runs that have some, and return the file; None where fewer than two have."""
    from dlcli.core.records import read_metrics
    from dlcli.visualize.canvas import write_png
    from dlcli.visualize.overlay import draw_overlay

    records = {}
    for side in sides:
        try:
            records[side.label] = read_metrics(side.run.metrics_file)
        except DlError:  # the parent of folds has no epochs
            continue
    if len(records) < 2:
        return None
    names = "-".join(re.sub(r"[^\w.-]+", "_", side.run.name)[:30] for side in sides[:4])
    path = Path(options.out) if options.out is not None else sides[0].run.folder("plots") / f"compare-{names}.png"
    write_png(path, draw_overlay(records))
    return path
