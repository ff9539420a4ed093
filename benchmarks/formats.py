"""Each run as a file of every format: its size, how much its answers differ, its speed, its figure on the test data.

    python benchmarks/formats.py RUN [RUN ...] [--batch-sizes 1,8] [--rounds 15] [--seconds 0.5] [--threads 1]

Each line of the table is what the commands say, which are run here one after the other in one process: `dl export RUN`
for the size and the largest difference, `dl benchmark RUN FILE ...` for the time of a call and the memory, and `dl eval
FILE` for the figure beside `dl eval RUN`. The time is the median of the calls of the fastest round, since on a shared
machine most rounds have others in them; weights (safetensors) are not timed, since the network is the run's. A format
that a run cannot have is a line with the reason. The files go to a temporary folder, so the runs stay as they are, but
for their report. On stderr: every figure of a file that is missing or differs from its run's by more than a thousandth,
and every command that fails.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcli.cli.app import run as run_command
from dlcli.cli.benchmark import processor

FORMATS: Mapping[str, Sequence[str]] = {
    "onnx": (),
    "onnx --half": ("--half",),
    "onnx --quantize int8": ("--quantize", "int8"),
    "torchscript": (),
    "pt2": (),
    "safetensors": (),
}
NOT_TIMED = ("safetensors",)
NEAR = 1e-3
"""Figures that differ by less, relative to the run's, are taken as equal."""


@dataclass
class Line:
    """A row of the table.

    Attributes:
        name: of the format, or of the run itself.
        path: of the file, or of the run.
        size: in bytes on the disk.
        difference: the largest from the run's answers; None if it is not a number.
        rows: of `dl benchmark`.
        metrics: of `dl eval`.
        reason: why there is no file, or no figure.
    """

    name: str
    path: str
    size: int | None = None
    difference: float | None = None
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    reason: str = ""


class CommandError(Exception):
    """A command has failed; the message is what it said, in one line."""


def dl(*words: str) -> dict[str, Any]:
    """Return the answer of a command as JSON.

    Raises:
        CommandError: its exit code is not 0.
    """
    answer, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(answer), contextlib.redirect_stderr(said):
        code = run_command([*words, "--json", "--quiet"])
    if code:
        lines = [line.strip() for line in said.getvalue().splitlines() if not line.startswith("warning:")]
        print(f"exit {code}: dl {' '.join(words)}", *lines, sep="\n  ", file=sys.stderr, flush=True)
        raise CommandError(" ".join(lines[:2]).removeprefix("error: "))
    document: dict[str, Any] = json.loads(answer.getvalue())
    return document


def size_of(path: Path) -> int:
    """Return the bytes of a file, with its weights where they are a second file, or of a folder."""
    beside = path.with_name(path.name + ".data")
    parts = path.rglob("*") if path.is_dir() else (each for each in (path, beside) if each.is_file())
    return sum(each.stat().st_size for each in parts if each.is_file())


def export(run: str, name: str, path: Path, threads: Sequence[str], data: Sequence[str], own: Line) -> Line:
    """Return a format's line, with its file and its figures if there are any, and say them on stderr."""
    line = Line(name, str(path))
    words = ["export", run, "--format", name.partition(" ")[0], *FORMATS[name], "--out", str(path), "--no-card"]
    try:
        line.difference = dl(*words, *threads, *data)["max_difference"]
        line.size = size_of(path)
        line.metrics = dl("eval", str(path), *data, *threads)["metrics"]
    except CommandError as error:
        line.reason = str(error)
    print(f"{run}: {name}: {line.size} bytes, difference {line.difference} {line.reason}", file=sys.stderr, flush=True)
    tell(run, line, own)
    return line


def measure(run: str, folder: Path, options: argparse.Namespace) -> tuple[str, str, list[Line]]:
    """Return a title for a run, the name of its metric, and its lines."""
    threads = ("--threads", str(options.threads))
    info = json.loads((Path(run) / "run.json").read_text(encoding="utf-8"))
    report = dl("eval", run, "--no-plots", *threads)
    own, data = Line("the run (torch)", run, metrics=report["metrics"]), ("--data", report["data"])
    lines = [own]
    for number, name in enumerate(FORMATS):
        suffix = "" if name in NOT_TIMED else f".{name.partition(' ')[0]}"
        lines.append(export(run, name, folder / f"{number}{suffix}", threads, data, own))
    files = [line.path for line in lines if line.name not in NOT_TIMED and (line is own or line.size is not None)]
    shape = ("--rounds", str(options.rounds), "--seconds", str(options.seconds), "--batch-sizes", options.batch_sizes)
    with contextlib.suppress(CommandError):  # which is said on stderr
        for row in dl("benchmark", *files, *shape, *data, *threads)["rows"] if options.rounds else ():
            of = [line for line in lines if Path(row["path"]).resolve() == Path(line.path).resolve()]
            of[0].rows.append(row)
    # Perplexity is an example of a goal that no file gives.
    given = [each for each in own.metrics if all(each in line.metrics for line in lines if line.metrics)]
    metric = info["goal"] if info.get("goal") in given else next(iter(given))
    title = f"{info['task']}: {info['model']} on {info['dataset']}, {info['parameters']:,} parameters"
    return f"{title}; {report['items']:,} test items", metric, lines


def tell(run: str, line: Line, own: Line) -> None:
    """Say on stderr which figures of a file are missing, or are not those of its run."""
    missing = [name for name in own.metrics if name not in line.metrics]
    if missing and line.metrics:
        print(f"{run}: {line.name}: without {', '.join(missing)}", file=sys.stderr)
    for name, value in line.metrics.items():
        expected = own.metrics.get(name)
        if expected is None or value is None:
            if expected is not value:
                print(f"{run}: {line.name}: {name} {value}, and {expected} of the run", file=sys.stderr)
        elif abs(value - expected) > NEAR * max(abs(expected), NEAR):
            print(f"{run}: {line.name}: {name} {value:.6g}, and {expected:.6g} of the run", file=sys.stderr)


def table(metric: str, lines: Sequence[Line], sizes: Sequence[int]) -> list[str]:
    """Return the lines of a Markdown table."""
    columns = ["format", "kB", "largest difference", *(f"ms, batch {size}" for size in sizes), "memory, MB", metric]
    shown = [columns, ["---"] * len(columns)]
    for line in lines:
        if line.reason and line.size is None:
            shown.append([f"`{line.name}`", f"refused: {line.reason}", *[""] * (len(columns) - 2)])
            continue
        size = "" if line.size is None else f"{line.size / 1e3:,.0f}"
        is_run = line.path == lines[0].path
        difference = "" if is_run else "others found" if line.difference is None else f"{line.difference:.1e}"
        value = line.metrics.get(metric)
        figure = line.reason or ("" if value is None else f"{value:.4f}")
        for runtime in list(dict.fromkeys(row["runtime"] for row in line.rows)) or [""]:
            rows = {row["batch_size"]: row for row in line.rows if row["runtime"] == runtime}
            times = [f"{min(rows[size]['round_medians_ms']):.3g}" if size in rows else "" for size in sizes]
            memory = max((row["memory_mb"] or 0 for row in rows.values()), default=0)
            name = line.name if is_run else f"`{line.name}`"
            name += f" in {runtime}" if runtime == "openvino" else ""
            shown.append([name, size, difference, *times, f"{memory:.0f}" if memory else "", figure])
            size = difference = figure = ""
    return [f"| {' | '.join(cells)} |" for cells in shown]


def main() -> None:
    """Measure every run, and print a table for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of runs")
    parser.add_argument("--batch-sizes", default="1,8")
    parser.add_argument("--rounds", type=int, default=15, help="0: nothing is timed")
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    sizes = [int(each) for each in options.batch_sizes.split(",")]
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"# {processor()}, {platform.system()}, {options.threads} threads {load}")
    for run in options.runs:
        with tempfile.TemporaryDirectory(prefix="dl-formats-") as folder:
            title, metric, lines = measure(run, Path(folder), options)
        print("", f"{title}", "", *table(metric, lines, sizes), sep="\n", flush=True)


if __name__ == "__main__":
    main()
