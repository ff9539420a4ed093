"""The section of a run's page on one evaluation, from what `dl eval` left in the run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.console import format_figure
from dlcli.core.errors import DlError
from dlcli.core.records import is_number
from dlcli.core.run_dir import RunDir
from dlcli.metrics.bootstrap import Interval, interval_of
from dlcli.report.blocks import Grid, Section, Span, grid_of, text_of
from dlcli.report.images import Album, Shot
from dlcli.report.kept import Shown, read_items, read_shown

SPLITS = ("test", "valid", "train")
MAX_WORST = 25
MAX_TABLES = 12
MAX_ACRONYM = 3
"""Letters of a name of a picture that is spelled in capitals: ROC."""
_RESAMPLES = 10_000
_MAX_OF_PAGE = 40_000_000
"""Draws of items for the intervals of a page: under a second."""


@dataclass(frozen=True)
class Evaluation:
    """A stored evaluation.

    Attributes:
        split: of the data.
        report: as `dl eval` stored it.
        shown: what it showed; None where an older version evaluated.
        intervals: metric -> [low, high] of 95 %.
        resampled: an interval by our own bootstrap, for the note on resamples and items; None if there is none.
    """

    split: str
    report: Mapping[str, Any]
    shown: Shown | None
    intervals: Mapping[str, tuple[float, float]]
    resampled: Interval | None

    def headline(self, goal: object) -> tuple[str, str, str] | None:
        """Return name, value and note of the most telling metric: the goal where it was measured, else the first."""
        metrics = self.report["metrics"]
        name = goal if goal in metrics else next(iter(metrics), None)
        if name is None or not is_number(metrics[name]):
            return None
        bounds = self.intervals.get(str(name))
        note = f"95 %: {format_figure(bounds[0])} to {format_figure(bounds[1])}" if bounds else ""
        items = self.report.get("items")
        count = f"{items:,} {self.split} items" if isinstance(items, int) else f"{self.split} items"
        return str(name), format_figure(float(metrics[name])), f"{note}, {count}".lstrip(", ")


def read_evaluations(run: RunDir) -> Iterator[Evaluation]:
    """Yield the sound evaluations of a run, that of the test split first."""
    for split in SPLITS:
        try:
            report = run.read_json(f"eval/{split}.json")
        except DlError:
            continue
        if not isinstance(report, Mapping) or not isinstance(report.get("metrics"), Mapping):
            continue
        intervals, resampled = _intervals(run, split, report)
        yield Evaluation(split, report, read_shown(run, split), intervals, resampled)


def _intervals(
    run: RunDir, split: str, report: Mapping[str, Any]
) -> tuple[dict[str, tuple[float, float]], Interval | None]:
    """Return the intervals that the metric computed itself, and by resampling those of scores of items."""
    metrics = report["metrics"]
    found: dict[str, Any] = {}
    stated = report.get("intervals")
    found |= stated if isinstance(stated, Mapping) else {}
    found |= {name: report.get(f"{name}_interval") for name in metrics if report.get(f"{name}_interval")}
    kept = {
        name: (float(bounds[0]), float(bounds[1]))
        for name, bounds in found.items()
        if isinstance(bounds, list) and len(bounds) == 2 and all(map(is_number, bounds))
    }
    scores, resampled = read_items(run, split), None
    for name, figure in scores.figures.items() if scores is not None else ():
        value = metrics.get(name)
        if name in kept or not is_number(value) or not math.isclose(figure.value(), value, rel_tol=1e-4, abs_tol=1e-9):
            continue  # the metric has its own, or the scores are of another evaluation
        resamples = max(min(_RESAMPLES, _MAX_OF_PAGE // len(figure.statistics)), 1)
        resampled = interval_of(figure, resamples=resamples)
        if resampled.low < resampled.high:  # where all items are right, every resample is as good
            kept.setdefault(name, (resampled.low, resampled.high))
    return kept, resampled


def evaluation_section(run: RunDir, found: Evaluation, album: Album) -> Section:
    """Return the section on an evaluation: metrics with intervals and baselines, its tables and its pictures."""
    report, shown, split = found.report, found.shown, found.split
    notes: list[str] = []
    warnings: list[str] = []
    items = report.get("items")
    notes.append(f"{text_of(items)} items of {text_of(report.get('data'))}, split {split}.")
    if found.resampled is not None:
        notes.append(
            f"Intervals hold 95 % of {found.resampled.resamples:,} resamples of the {found.resampled.items:,} items: "
            "they say how far chance in the choice of these items reaches, and nothing of other trainings."
        )
    elif found.intervals:
        notes.append("Intervals hold 95 % of resamples of the items.")
    if shown is not None:
        warnings += shown.notes
        if shown.options:
            notes.append(f"Inference options: {text_of(shown.options)}.")
    else:
        warnings.append(f"Evaluated by an older version: `dl eval {run.reference} --split {split}` adds its tables.")
    if is_older_than_weights(run, split):
        warnings.append(f"The weights are newer than this evaluation: repeat `dl eval {run.reference}`.")
    grids = [_metric_grid(found)]
    grids += [
        grid_of(table.name.replace("_", " "), table.columns, table.rows)
        for table in (shown.tables[:MAX_TABLES] if shown is not None else ())
    ]
    if not any(grid.caption == "worst" for grid in grids):
        grids += _worst_grid(report)
    names = shown.pictures if shown is not None else _drawn(run, split)
    shots = [shot for name in names if (shot := _shot(run, name, split, album)) is not None]
    return Section(f"Evaluation: {split}", f"eval-{split}", notes, warnings, grids=grids, shots=shots)


def is_older_than_weights(run: RunDir, split: str) -> bool:
    """Return whether a stored evaluation is of earlier weights than the run's."""
    try:
        return run.best_checkpoint.stat().st_mtime > (run.path / "eval" / f"{split}.json").stat().st_mtime
    except OSError:
        return False


def _metric_grid(found: Evaluation) -> Grid:
    report = found.report
    lower = report.get("lower_is_better") or ()
    baselines = report.get("baselines")
    others = {n: m for n, m in baselines.items() if isinstance(m, Mapping)} if isinstance(baselines, Mapping) else {}
    names = list(dict.fromkeys(name for column in (report["metrics"], *others.values()) for name in column))
    rows = []
    for name in names:
        bounds = found.intervals.get(name)
        interval = Span(*bounds) if bounds else ""
        label = f"{name} (lower is better)" if name in lower else name
        rows.append(
            [label, report["metrics"].get(name, ""), interval, *(each.get(name, "") for each in others.values())]
        )
    columns = ["metric", "value", "95 % interval", *others]
    if not found.intervals:
        columns.remove("95 % interval")
        rows = [[*row[:2], *row[3:]] for row in rows]
    return grid_of("metrics" + (", beside simple models" if others else ""), columns, rows, most=100)


def _worst_grid(report: Mapping[str, Any]) -> list[Grid]:
    """Return the table of the worst items, with class names in place of their numbers."""
    worst, per_class = report.get("worst"), report.get("per_class")
    if not isinstance(worst, list) or not worst or not all(isinstance(entry, Mapping) for entry in worst):
        return []
    names = [str(row.get("name")) for row in per_class] if isinstance(per_class, list) else []
    columns = list(worst[0])[:12]

    def shown(column: str, value: Any) -> Any:
        is_class = column in ("label", "predicted") and isinstance(value, int) and 0 <= value < len(names)
        return names[value] if is_class else value

    rows = [[shown(column, entry.get(column)) for column in columns] for entry in worst]
    return [grid_of("worst", columns, rows, most=MAX_WORST, is_closed=True)]


def _drawn(run: RunDir, split: str) -> Sequence[str]:
    return sorted(f"plots/{path.name}" for path in run.path.glob(f"plots/{split}-*.png"))


def _shot(run: RunDir, name: str, split: str, album: Album) -> Shot | None:
    """Return a picture of the run, by a path that stays within it."""
    path = run.path / name
    if not path.resolve().is_relative_to(run.path.resolve()) or not path.is_file():
        return None
    words = title_of(path, split)
    return album.shot(path, f"{words}, {split} split", words)


def title_of(path: Path, split: str = "") -> str:
    """Return a picture's file name as words."""
    words = path.stem.removeprefix(f"{split}-").replace("-", " ").replace("_", " ")
    if len(words) <= MAX_ACRONYM:
        return words.upper()
    return words[:1].upper() + words[1:]
