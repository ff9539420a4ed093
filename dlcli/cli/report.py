"""`dl report RUN`: one HTML page about a run, which needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.cli.options import Argument, Compute, Values, make_command
from dlcli.core.config import option
from dlcli.core.console import Console
from dlcli.core.errors import UsageError
from dlcli.core.run_dir import RunDir, resolve_run

PAGE = "report.html"


@dataclass(frozen=True)
class ReportOptions:
    """Options of `dl report`."""

    out: str | None = option(None, f"the HTML file (default: {PAGE} in the run)", metavar="FILE")
    eval: bool = option(False, "evaluate the run on its test data first if that is missing")
    data: str | None = option(None, "prepared data for --eval (default: the run's)", metavar="DIR")


def build(rest: list[str]) -> Any:
    """Return the command."""
    del rest
    return make_command(
        "report",
        "Write one HTML page about a run: data, curves, metrics, pictures and exports.",
        _report,
        arguments=[Argument("run", "a run, as for `dl eval`, or the parent of a cross-validation's folds")],
        configs=[ReportOptions, Compute],
    )


def _report(values: Values) -> None:
    console, options = values.console(), values.resolve(ReportOptions)
    run = resolve_run(values.arguments["run"])
    path = Path(options.out) if options.out is not None else run.path / PAGE
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise UsageError(f"--out {path}: not an HTML file", hint="name a file that ends in .html")
    run.info()  # before anything is computed
    if options.eval and not run.holds_folds and not (run.path / "eval" / "test.json").exists():
        _evaluate(run, options, values.resolve(Compute), console)
    from dlcli.core.files import write_text
    from dlcli.report.pages import page_of
    from dlcli.report.rendering import render

    text = render(page_of(run))
    write_text(path, text)
    console.say(f"{len(text.encode()) / 1e6:.1f} MB")
    if console.is_json:
        console.answer_json("report", {"path": str(path), "bytes": len(text.encode())})
    else:
        console.answer(str(path))


def _evaluate(run: RunDir, options: ReportOptions, compute: Compute, console: Console) -> None:
    """Evaluate the run on its test split, and store what `dl eval` would."""
    from dlcli.answering.run_data import data_of_run

    data = data_of_run(run.info(), options.data)
    from dlcli.engine.compute.device import open_device, seed_everything
    from dlcli.engine.observers.data_notes import print_notes
    from dlcli.engine.runs.evaluation import measure_run, require_items
    from dlcli.engine.runs.keeping import keep_evaluation

    device = open_device(compute.device, threads=compute.threads)
    seed_everything(compute.seed)
    console.say(f"evaluating {run.path} on the test split")
    measured = measure_run(run, data, "test", device)
    require_items(measured.report, measured.notes)
    print_notes(console, measured.notes)
    keep_evaluation(run, measured, draws=True)
