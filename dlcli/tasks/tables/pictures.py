"""The pictures of runs on tables: their table, options and drawing functions.

Torch and numpy are not imported until a picture is drawn, so that the help page is fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlcli.core.config import MAX_SEED, option
from dlcli.core.errors import DataError, UsageError, did_you_mean
from dlcli.core.table import Table, table_of_entries
from dlcli.visualize.pictures import Picture
from dlcli.visualize.subject import Drawn, Subject

if TYPE_CHECKING:
    import numpy as np

    from dlcli.tasks.tables.columns import TableColumns

MOST_ROWS = 5000
"""Of a larger part every n-th row is used; an importance of ten repeats then takes seconds."""

MOST_LINES, MOST_CURVES, MOST_CATEGORIES = 60, 6, 25
"""Lines of single rows, curves of classes, and categories in a picture."""

MOST_PRINTED = 12
"""Rows of a dependence that are printed; JSON has all."""


@dataclass(frozen=True)
class ImportanceOptions:
    """Options of `importance`."""

    split: str = option("test", "the split of the data: test, valid or train", choices=("test", "valid", "train"))
    repeats: int = option(10, "permutations of each column", minimum=2, maximum=1000)
    together: tuple[str, ...] = option(
        (), "columns that are permuted together, separated by commas (repeatable)", metavar="A,B"
    )
    score: str | None = option(None, "the metric (default: the one that picks the best epoch)", metavar="METRIC")
    seed: int = option(0, "seed of the permutations", minimum=0, maximum=MAX_SEED)


@dataclass(frozen=True)
class DependenceOptions:
    """Options of `dependence`."""

    column: str | None = option(None, "the column (default: the first)", metavar="NAME")
    split: str = option("test", "the split of the data: test, valid or train", choices=("test", "valid", "train"))
    label: str | None = option(None, "only the probability of this class", flag="class", metavar="NAME")
    points: int = option(40, "values of a column of numbers that are tried", minimum=2, maximum=1000)


@dataclass(frozen=True)
class _Answers:
    """What is drawn of a run's answers.

    Attributes:
        names: of K answers.
        of: network inputs -> (N, K) answers.
        caption: what they are.
        are_numbers: whether they are in the units of the target, rather than probabilities.
    """

    names: Sequence[str]
    of: Callable[[Mapping[str, np.ndarray]], np.ndarray]
    caption: str
    are_numbers: bool


def draw_importance_picture(subject: Subject, options: ImportanceOptions) -> Drawn:
    """Yield a picture of the permutation importance of each column, and add its table."""
    from dlcli.tasks.tables.importance import permutation_importance
    from dlcli.visualize.importance import draw_importance

    task, part = _opened(subject, options.split)
    inputs = {name: part[name] for name in task.inputs}
    groups = _groups(task.columns, options.together)
    name, larger_is_better = _score_of(task, part, options.score)

    def score(changed: Mapping[str, np.ndarray]) -> float:
        return float(_measured(task, part, changed)[name])

    found = permutation_importance(
        score, inputs, groups, repeats=options.repeats, seed=options.seed, larger_is_better=larger_is_better
    )
    found.sort(key=lambda each: -each.mean)
    entries = [{"column": each.name, "importance": each.mean, "low": each.low, "high": each.high} for each in found]
    subject.adds(table_of_entries("importance", entries))
    subject.shows(each.name for each in found)
    change = "fall" if larger_is_better else "rise"
    caption = f"{change} of {name} when the column is permuted ({options.repeats} times, 95 % interval)"
    title = f"{subject.name}, {options.split}: {name} {score(inputs):.4g}"
    yield "importance", draw_importance([(e.name, e.mean, e.low, e.high) for e in found], caption, title)


def draw_dependence_picture(subject: Subject, options: DependenceOptions) -> Drawn:
    """Yield a picture of how the answers depend on one column, and add its table."""
    task, part = _opened(subject, options.split)
    name = options.column if options.column is not None else task.columns.names[0]
    [place] = _places(task.columns, [name], "--column")
    answers = _answers(task, part, options.label)
    title = f"{subject.name}, {options.split}: {task.columns.target} by {name}"
    subject.shows([name, *answers.names, task.columns.target])
    draw = _of_numbers if place[0] == "numeric" else _of_categories
    yield f"dependence-{name}", draw(subject, task, part, place[1], answers, options.points, title)


def _of_numbers(
    subject: Subject,
    task: Any,
    part: Mapping[str, np.ndarray],
    place: int,
    answers: _Answers,
    points: int,
    title: str,
) -> np.ndarray:
    import numpy as np

    from dlcli.tasks.tables.dependence import grid_of, responses
    from dlcli.visualize.dependence import draw_curves

    column = task.columns.numeric[place]
    inputs = {name: part[name] for name in task.inputs}
    values = inputs["numeric"][:, place].astype(np.float64)
    grid = grid_of(values, points)
    if not len(grid):
        raise DataError(f"{column.name}: has no value in this split", hint="choose another --split or --column")
    found = responses(answers.of, inputs, ("numeric", place), grid)
    rows = np.linspace(0, found.shape[1] - 1, min(MOST_LINES, found.shape[1])).astype(int)
    lines = found[:, rows, 0] if len(answers.names) == 1 else np.empty((len(grid), 0))
    means, shown = found.mean(1), grid + column.offset
    _add_table(subject, shown.tolist(), means, answers.names)
    known = values[~np.isnan(values)] + column.offset
    return draw_curves(shown, means, answers.names, lines, known, (column.name, answers.caption, title))


def _of_categories(
    subject: Subject,
    task: Any,
    part: Mapping[str, np.ndarray],
    place: int,
    answers: _Answers,
    points: int,
    title: str,
) -> np.ndarray:
    import numpy as np

    from dlcli.tasks.tables.dependence import responses
    from dlcli.visualize.dependence import draw_bars

    del points
    column = task.columns.categorical[place]
    inputs = {name: part[name] for name in task.inputs}
    counts = np.bincount(inputs["categories"][:, place], minlength=column.size)
    order = 1 + np.argsort(-counts[1:], kind="stable")[:MOST_CATEGORIES]
    if column.size - 1 > MOST_CATEGORIES:
        subject.warns(f"{column.name}: the {MOST_CATEGORIES} most frequent of its {column.size - 1:,} categories")
    means = responses(answers.of, inputs, ("categories", place), order).mean(1)
    labels = [(*column.categories, "(missing)")[index - 1] for index in order.tolist()]
    subject.shows(labels)
    _add_table(subject, labels, means, answers.names)
    base = float(answers.of(inputs).mean()) if answers.are_numbers and len(answers.names) == 1 else 0.0
    return draw_bars(labels, means, answers.names, counts[order], base, (column.name, answers.caption, title))


def _add_table(subject: Subject, values: Sequence[Any], means: np.ndarray, names: Sequence[str]) -> None:
    """Add the table of mean answers by value; at most `MOST_PRINTED` rows of it are printed."""
    rows = [[value, *row] for value, row in zip(values, means.tolist(), strict=True)]
    entries = [{"value": value, **dict(zip(names, row, strict=True))} for value, *row in rows]
    step = -(-len(rows) // MOST_PRINTED)
    subject.adds(Table("dependence", ["value", *names], rows[::step], entries))


def _opened(subject: Subject, split: str) -> tuple[Any, dict[str, np.ndarray]]:
    """Return the run's task, and a part of its data as arrays by name, at most `MOST_ROWS` rows.

    Raises:
        DataError: the data is missing, or the part has no rows.
    """
    import numpy as np

    subject.run()
    subject.data()
    task = subject.task()
    batches = list(task.loader(split).batches())
    whole = {name: np.concatenate([batch[name].numpy() for batch in batches]) for name in batches[0]} if batches else {}
    num_rows = len(whole["rows"]) if whole else 0
    if num_rows < 2:
        raise DataError(f"{subject.name}: {num_rows} rows in {split}", hint="choose another --split")
    if num_rows > MOST_ROWS:
        subject.warns(f"{MOST_ROWS:,} of the {num_rows:,} rows of {split}, evenly spaced")
        chosen = np.linspace(0, num_rows - 1, MOST_ROWS).astype(int)
        whole = {name: values[chosen] for name, values in whole.items()}
    return task, whole


def _outputs(task: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    import torch

    from dlcli.engine.evaluate import infer_arrays
    from dlcli.models.modes import evaluating

    with evaluating(task.model), torch.inference_mode():
        return infer_arrays(task, inputs)


def _measured(task: Any, part: Mapping[str, np.ndarray], inputs: Mapping[str, np.ndarray]) -> Mapping[str, float]:
    metric = task.metric()
    metric.update(part, _outputs(task, inputs))
    figures: Mapping[str, float] = metric.report()["metrics"]
    return figures


def _score_of(task: Any, part: Mapping[str, np.ndarray], name: str | None) -> tuple[str, bool]:
    """Return the name of the metric, and whether larger is better.

    Raises:
        UsageError: there is no such metric.
    """
    if name is None:
        return task.goal.metric, task.goal.larger_is_better
    metric = task.metric()
    metric.update(part, _outputs(task, {key: part[key] for key in task.inputs}))
    report = metric.report()
    if name not in report["metrics"]:
        raise UsageError(f"--score: no metric {name!r}", hint=did_you_mean(name, report["metrics"]))
    return name, name not in report["lower_is_better"]


def _answers(task: Any, part: Mapping[str, np.ndarray], label: str | None) -> _Answers:
    """Return what is drawn of the task's answers: a number, its quantiles, or the probabilities of classes.

    Raises:
        UsageError: there is no such class, or no classes.
    """
    import numpy as np

    from dlcli.tasks.tables.levels import level_names
    from dlcli.tasks.tables.regression import RegressionTask

    target, offset = task.columns.target, task.columns.offset
    if isinstance(task, RegressionTask):
        if label is not None:
            raise UsageError("--class: the run predicts a number, and no class")

        def numbers(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
            outputs = _outputs(task, inputs)
            own = outputs["quantiles"] if task.levels else outputs["prediction"][:, None]
            return np.asarray(own.astype(np.float64) + offset)

        caption = f"quantiles of {target}" if task.levels else target
        return _Answers(level_names(task.levels) or [target], numbers, caption, are_numbers=True)
    labels = list(task.labels)
    if label is not None and label not in labels:
        raise UsageError(f"--class: no class {label!r}", hint=did_you_mean(label, labels))
    counts = np.bincount(part["labels"], minlength=len(labels))
    frequent = sorted(np.argsort(-counts, kind="stable")[:MOST_CURVES].tolist())
    chosen = [labels.index(label)] if label is not None else frequent

    def probabilities(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        logits = _outputs(task, inputs)["logits"].astype(np.float64)
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray((shares / shares.sum(1, keepdims=True))[:, chosen])

    shown = [labels[index] for index in chosen]
    return _Answers(shown, probabilities, f"probability of {label or target}", are_numbers=False)


def _groups(columns: TableColumns, together: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    """Return the columns that are permuted together by name: those that were asked for, then the others alone.

    Raises:
        UsageError: there is no such column, or it is in two groups.
    """
    groups = {}
    for text in together:
        names = [text] if text in columns.names else [name.strip() for name in text.split(",")]
        groups[" + ".join(names)] = _places(columns, names, "--together")
    used = [place for places in groups.values() for place in places]
    if len(set(used)) < len(used):
        raise UsageError("--together: a column is listed twice")
    alone = {name: _places(columns, [name], "--together") for name in columns.names}
    return {**groups, **{name: places for name, places in alone.items() if places[0] not in used}}


def _places(columns: TableColumns, names: Sequence[str], flag: str) -> list[tuple[str, int]]:
    """Return where columns stand among the network's inputs.

    Raises:
        UsageError: there is no such column.
    """
    known = {column.name: ("numeric", index) for index, column in enumerate(columns.numeric)}
    known |= {column.name: ("categories", index) for index, column in enumerate(columns.categorical)}
    for name in names:
        if name not in known:
            raise UsageError(f"{flag}: the run reads no column {name[:100]!r}", hint=did_you_mean(name, known))
    return [known[name] for name in names]


PICTURES: Mapping[str, Picture] = {
    "importance": Picture(
        "how much the run needs each column of a table", "RUN", ImportanceOptions, draw_importance_picture
    ),
    "dependence": Picture(
        "how the answers depend on one column of a table", "RUN", DependenceOptions, draw_dependence_picture
    ),
}
