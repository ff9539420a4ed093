"""Comparing runs on equal test items: what differs between them, and whether the difference is more than chance.

Torch-free: everything is read from the runs, as `dl eval` left it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcli.core.errors import DlError, RunError, UsageError, did_you_mean
from dlcli.core.run_dir import FOLDS, RunDir
from dlcli.data.card import Card
from dlcli.metrics.bootstrap import Interval, paired_interval
from dlcli.metrics.item_scores import ItemFigure, ItemScores
from dlcli.report.blocks import text_of
from dlcli.report.kept import data_digest, read_items, read_shown

UNTOLD = ("name", "device", "threads", "show", "profile")
"""Options that change nothing of a result, or nothing that is compared."""
POINTS = 100


@dataclass(frozen=True)
class Side:
    """One run of a comparison.

    Attributes:
        run, info: the run, and its `run.json`.
        label: its name, made distinct.
        report: of its evaluation.
        options: those of its training and of its evaluation, by name.
        scores: of its items; None where its metric knows none.
        data: which data it was evaluated on, see `data_digest`; "" where that is not known.
    """

    run: RunDir
    info: Mapping[str, Any]
    label: str
    report: Mapping[str, Any]
    options: Mapping[str, Any]
    scores: ItemScores | None
    data: str


@dataclass(frozen=True)
class Verdict:
    """What a paired bootstrap says of two runs.

    Attributes:
        better, worse: their labels, by the figure on the items themselves.
        metric: the figure.
        difference: how much better, so at least 0, with its uncertainty.
        is_share: whether it is a share, told in points.
    """

    better: str
    worse: str
    metric: str
    difference: Interval
    is_share: bool

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.difference.low > 0

    def sentence(self) -> str:
        """Return the verdict as a sentence."""
        scale = POINTS if self.is_share else 1
        value, error, low, high = (
            f"{scale * number:.3g}"
            for number in (
                self.difference.value,
                self.difference.standard_error,
                self.difference.low,
                self.difference.high,
            )
        )
        unit = f"points of {self.metric}" if self.is_share else f"in {self.metric}"
        counts = f"{self.difference.resamples:,} resamples of {self.difference.items:,} items"
        if self.difference.value == self.difference.standard_error == 0:
            return f"{self.better} and {self.worse} are equal on every item ({counts})"
        how = f"by {value} ± {error} {unit} (95 % interval {low} to {high}, {counts})"
        if self.is_clear:
            return f"{self.better} is better than {self.worse} {how}"
        return f"{self.better} is ahead of {self.worse}, but within chance, {how}"


def open_sides(runs: Sequence[RunDir], split: str) -> list[Side]:
    """Return the runs with their evaluations on a split.

    Raises:
        UsageError: there are fewer than two different ones, or they are of different tasks.
        RunError: one is not evaluated on this split.
    """
    different = list({run.path.resolve(): run for run in runs}.values())
    if len(different) < 2:
        raise UsageError("a comparison needs two runs", hint="`dl runs` lists them")
    sides = []
    names = [run.name for run in different]
    for run in different:
        info = run.info()
        try:
            report = run.read_json(f"eval/{split}.json")
        except RunError:
            report = None
        if not isinstance(report, Mapping) or not isinstance(report.get("metrics"), Mapping):
            hint = f"`dl eval {run.reference} --split {split}`"
            raise RunError(f"{run.path}: not evaluated on {split}", hint=hint)
        label = run.name if names.count(run.name) == 1 else str(run.path)
        data = _data_of(run, split, info, report)
        sides.append(Side(run, info, label, report, _options(run, split), read_items(run, split), data))
    first = sides[0]
    for other in sides[1:]:
        tasks = [str(side.info.get("task")) for side in (first, other)]
        if tasks[0] != tasks[1]:
            what = f"{first.label} is of {tasks[0]}, {other.label} of {tasks[1]}"
            raise UsageError(f"{what}: runs of different tasks have no figure in common")
    return sides


def _options(run: RunDir, split: str) -> dict[str, Any]:
    shown = read_shown(run, split)
    asked = {f"eval {name}": value for name, value in shown.options.items()} if shown is not None else {}
    try:
        return {**run.config(), **asked}
    except DlError:
        return asked


def require_comparable(sides: Sequence[Side], split: str) -> None:
    """Check that all runs were evaluated on the same items.

    Raises:
        UsageError: they were not.
    """
    for first, other in itertools.pairwise(sides):
        pair = f"{first.label} and {other.label}"
        counts = [side.report.get("items") for side in (first, other)]
        if counts[0] != counts[1]:
            numbers = " and ".join(text_of(count) for count in counts)
            raise UsageError(f"{pair} were evaluated on {numbers} items of {split}", hint=_SAME)
        if first.scores is not None and other.scores is not None and first.scores.truth != other.scores.truth:
            raise UsageError(f"{pair} were evaluated on different items of {split}", hint=_SAME)
        names_items = all(side.scores is not None and side.scores.names_items for side in (first, other))
        if names_items:
            continue
        if first.data and other.data:
            if first.data != other.data:
                what = "data that was prepared from other files or options"
                raise UsageError(f"{pair} were evaluated on {what}", hint=_SAME)
        elif _place(first.report) != _place(other.report):
            places = " and ".join(text_of(side.report.get("data")) for side in (first, other))
            raise UsageError(f"{pair} were evaluated on {places}, which may hold different items", hint=_SAME)


_SAME = "evaluate both on the same data: `dl eval RUN --data DIR`"


def _data_of(run: RunDir, split: str, info: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Return which data a run was evaluated on: as the evaluation says, else that of its training if it was the same.

    Older evaluations, and those of folds, say where the data was and not which; of folds, the first one's card counts.
    """
    shown = read_shown(run, split)
    if shown is not None and shown.data:
        return shown.data
    if _place(report) != _place(info):
        return ""
    for folder in (run, *(RunDir(path.parent) for path in sorted((run.path / FOLDS).glob("*/data.json"))[:1])):
        try:
            return data_digest(Card.from_json(folder.read_json(folder.card_file.name), str(folder.card_file)))
        except DlError:
            continue
    return ""


def _place(entries: Mapping[str, Any]) -> str | None:
    """Return the folder of the data that a report or a `run.json` names."""
    place = entries.get("data")
    return os.path.abspath(place) if isinstance(place, str) else None  # noqa: PTH100 - without `..`


def choose_metric(sides: Sequence[Side], wanted: str | None) -> str:
    """Return the metric to compare by: the wanted one, else the goal of the training.

    A goal that is no sum over items, such as AP, gives way to a metric that is one, and so has an interval.

    Raises:
        UsageError: not every run has it.
    """
    common = [name for name in sides[0].report["metrics"] if all(name in side.report["metrics"] for side in sides)]
    if not common:
        raise UsageError("the runs have no metric in common")
    if wanted is not None:
        if wanted not in common:
            raise UsageError(f"--metric: no metric {wanted!r} in every run", hint=did_you_mean(wanted, common))
        return wanted
    goal = sides[0].info.get("goal")
    in_all = [name for name in common if all(s.scores is not None and name in s.scores.figures for s in sides)]
    candidates = [goal, *in_all] if goal in in_all or not in_all else in_all
    return next((name for name in candidates if isinstance(name, str) and name in common), common[0])


def verdicts_of(sides: Sequence[Side], metric: str) -> tuple[list[Verdict], str]:
    """Return the best run against each other one, and why there is no verdict, or "".

    Raises:
        UsageError: the figure is of another kind or signature in another run.
    """
    figures = []
    for side in sides:
        figure = side.scores.figures.get(metric) if side.scores is not None else None
        if figure is None:
            stored = (side.run.path / "eval").is_dir() and side.scores is not None
            reason = "is not a sum over items" if stored else "has no stored scores of items"
            again = "" if stored else f"; `dl eval {side.run.reference}` stores them where its metric knows any"
            return [], f"no interval: {metric} of {side.label} {reason}{again}"
        figures.append(figure)
    for side, figure in zip(sides[1:], figures[1:], strict=True):
        if (figure.signature, figure.reduction) != (figures[0].signature, figures[0].reduction):
            what = f"{figures[0].signature or figures[0].reduction!r} and {figure.signature or figure.reduction!r}"
            raise UsageError(f"{metric} of {sides[0].label} and {side.label} is not the same figure: {what}")
    lower = figures[0].lower_is_better
    values = np.array([figure.value() for figure in figures])
    best = int(np.argmin(values) if lower else np.argmax(values))
    others = [index for index in np.argsort(values if lower else -values, kind="stable").tolist() if index != best]
    return [_verdict(sides, figures, best, other, metric) for other in others], ""


def _verdict(sides: Sequence[Side], figures: Sequence[ItemFigure], best: int, other: int, metric: str) -> Verdict:
    pair = (other, best) if figures[best].lower_is_better else (best, other)
    difference = paired_interval(figures[pair[0]], figures[pair[1]])
    return Verdict(sides[best].label, sides[other].label, metric, difference, figures[best].is_share)


def differing_options(sides: Sequence[Side]) -> dict[str, list[Any]]:
    """Return the options in which the runs differ, each with the value of every run; None where one has no such."""
    names = dict.fromkeys(name for side in sides for name in side.options)
    found = {name: [side.options.get(name) for side in sides] for name in names if name not in UNTOLD}
    return {name: values for name, values in found.items() if any(value != values[0] for value in values)}
