"""Storing an evaluation in its run: the report, what people look at, and the scores of each item."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

from dlcli.core.run_dir import RunDir
from dlcli.engine.runs.evaluation import Measured, keep_report
from dlcli.engine.task import Metric
from dlcli.metrics.item_scores import ScoresItems
from dlcli.report.kept import Shown, data_digest, keep_items, keep_shown, read_shown
from dlcli.visualize.canvas import write_png


def keep_evaluation(run: RunDir, measured: Measured, *, draws: bool, inference: Any = None) -> list[str]:
    """Store an evaluation in its run, and return the paths of the pictures.

    Args:
        run: the run.
        measured: its evaluation.
        draws: whether the task's pictures are drawn.
        inference: the inference options of the evaluation, a dataclass; None for none.

    Raises:
        OSError: the run cannot be written.
    """
    split = measured.report["split"]
    keep_report(run, measured.report)
    keep_items_of(run, split, measured.metric)
    written = []
    for name, picture in measured.task.draw_report(measured.report, split) if draws else ():
        path = run.folder("plots") / f"{split}-{name}"
        write_png(path, picture)
        written.append(path)
    options = _chosen(inference)
    drawn = [path.relative_to(run.path).as_posix() for path in written]
    pictures = drawn if draws else _pictures_of_these_weights(run, split)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    card = measured.task.card
    data = data_digest(card) if card is not None else ""
    keep_shown(run, split, Shown(measured.tables, pictures, measured.notes, options, now, data))
    return [str(path) for path in written]


def keep_items_of(run: RunDir, split: str, metric: Metric) -> None:
    """Store the scores of the items of a metric, if it knows them; remove those of an earlier evaluation otherwise.

    Raises:
        OSError: the run cannot be written.
    """
    keep_items(run, split, metric.item_scores() if isinstance(metric, ScoresItems) else None)


def _chosen(inference: Any) -> dict[str, Any]:
    """Return the inference options that have not their default."""
    if not is_dataclass(inference) or isinstance(inference, type):
        return {}
    values = {each.name: (vars(inference)[each.name], each.default) for each in fields(inference)}
    return {name: value for name, (value, default) in values.items() if value != default}


def _pictures_of_these_weights(run: RunDir, split: str) -> list[str]:
    """Return the pictures of an earlier evaluation that are newer than the weights."""
    earlier = read_shown(run, split)
    try:
        since = run.best_checkpoint.stat().st_mtime
        names = earlier.pictures if earlier is not None else ()
        return [name for name in names if (run.path / name).stat().st_mtime >= since]
    except OSError:
        return []
